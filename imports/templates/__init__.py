"""Import templates: how the files of one sender are read and mapped."""
