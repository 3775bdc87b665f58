import pytest

from portal.dropserver.rights import (
    STATE_SUFFIXES,
    Ownership,
    is_state_file,
    refusal_of_place,
    refusal_to_remove,
    refusal_to_rename,
    refusal_to_upload,
)

ME, OTHER = 7, 8
MINE, THEIRS, PORTALS = Ownership(ME), Ownership(OTHER), Ownership(None)


def test_it_lets_a_sender_write_a_new_name_and_write_it_again():
    assert refusal_to_upload("accounts.csv", None, ME) is None
    assert refusal_to_upload("accounts.csv", MINE, ME) is None


def test_it_does_not_let_a_sender_write_over_others_files():
    assert "another account" in refusal_to_upload("accounts.csv", THEIRS, ME)
    assert "created by the portal" in refusal_to_upload("accounts.csv.result.txt", PORTALS, ME)


def test_it_lets_a_sender_put_a_corrected_error_attachment_back_under_its_name():
    for existing in (PORTALS, MINE, None):
        assert refusal_to_upload("accounts.csv.errors.csv", existing, ME) is None
        assert refusal_to_rename("x.filepart", MINE, "a.csv.errors.csv", existing, ME) is None
    assert "another account" in refusal_to_upload("accounts.csv.errors.csv", THEIRS, ME)


def test_a_file_that_is_not_the_uploaded_one_any_more_is_the_portals():
    uploaded = Ownership(OTHER, "1:2:3")
    assert uploaded.of_file("1:2:3") == uploaded
    assert uploaded.of_file("9:2:3") == PORTALS
    assert Ownership(OTHER).of_file("9:2:3") == Ownership(OTHER), "of before sources were kept"


@pytest.mark.parametrize("suffix", STATE_SUFFIXES)
def test_it_keeps_the_manifest_states_to_the_portal(suffix):
    for name in (f"accounts.done{suffix}", f"accounts.done{suffix.lower()}"):
        assert is_state_file(name)
        assert refusal_to_upload(name, None, ME)
        assert refusal_to_upload(name, MINE, ME)
        assert refusal_to_rename("accounts.done", MINE, name, None, ME)
        assert refusal_to_rename(name, PORTALS, "accounts.done", None, ME)


def test_it_lets_a_sender_rename_an_own_file_to_a_free_or_own_name():
    assert refusal_to_rename("x.csv.filepart", MINE, "x.csv", None, ME) is None
    assert refusal_to_rename("x.csv.filepart", MINE, "x.csv", MINE, ME) is None


@pytest.mark.parametrize(("ownership", "target"), [(THEIRS, None), (PORTALS, None), (MINE, THEIRS)])
def test_it_does_not_let_a_sender_rename_others_files_or_onto_them(ownership, target):
    assert refusal_to_rename("a.csv", ownership, "b.csv", target, ME)


def test_it_lets_a_sender_remove_own_files_and_what_the_portal_left_to_read():
    assert refusal_to_remove("a.csv", MINE, ME) is None
    assert refusal_to_remove("a.done.INVALIDSCHEMA", PORTALS, ME) is None
    assert refusal_to_remove("a.errors.csv", PORTALS, ME) is None


def test_it_lets_nobody_remove_a_manifest_in_process_or_anothers_file():
    assert "being processed" in refusal_to_remove("a.done.PROCESSING", PORTALS, ME)
    assert "being processed" in refusal_to_remove("a.done.PROCESSING", MINE, ME)
    assert "another account" in refusal_to_remove("a.csv", THEIRS, ME)


def test_only_a_home_s_own_account_changes_anything_below_the_homes():
    assert "belong to accounts" in refusal_of_place((), ("homes", "pat", "users.csv"))
    assert "belong to accounts" in refusal_of_place((), ("homes", "users.csv"))
    assert "belong to accounts" in refusal_of_place((), ("HOMES", "pat", "users.csv"))
    assert refusal_of_place((), ("Courses", "homes")) is None
    assert refusal_of_place(("homes", "pat"), ("homes", "users.csv")) is None
    assert refusal_of_place(("homes", "pat"), ("users.csv",)) is None
