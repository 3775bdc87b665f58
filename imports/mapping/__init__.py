"""How one institution's file becomes our fields, as data: specs, steps, sheets, guesses. Pure."""
