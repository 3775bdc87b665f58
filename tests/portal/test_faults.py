"""A fault is a value: it says where and what, and only the face makes a sentence of it."""

from portal.faults import Fault, Refused


def test_a_fault_names_its_place_in_one_word():
    assert Fault(("fields", "mail", "steps", 0), "unknown_step", "").where == "fields.mail.steps[0]"
    assert Fault((), "empty", "").where == ""


def test_a_sentence_is_made_of_message_and_parameters():
    fault = Fault(
        ("name",), "too_long", "%(found)s letters; 100%% is %(most)s.", {"found": 9, "most": 5}
    )
    assert str(fault) == "9 letters; 100% is 5."


def test_further_out_the_path_is_longer_and_all_else_the_same():
    inner = Fault(("name",), "blank", "Give it a name.")
    assert inner.below("columns", 2) == Fault(("columns", 2, "name"), "blank", "Give it a name.")


def test_an_exception_keeps_its_faults_as_they_are():
    faults = (Fault(("a",), "blank", "One."), Fault(("b",), "blank", "Two."))
    assert Refused(*faults).faults == faults
    assert str(Refused(*faults)) == "One. Two."
