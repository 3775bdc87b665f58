import os
from datetime import timedelta

from portal.dropserver.jail import Jail
from portal.dropserver.leftovers import clear_parts
from portal.dropserver.parts import Parts


def test_it_clears_old_parts_of_all_endpoints_and_passes_over_what_is_no_folder(settings, tmp_path):
    settings.DROPS_DIR = tmp_path / "drops"
    assert clear_parts() == 0
    for name in ("one", "two"):
        root = settings.DROPS_DIR / name
        root.mkdir(parents=True)
        with Jail(root) as jail:
            for file in ("old.csv", "new.csv"):
                Parts(jail, "1").open((file,), fresh=True).abandon()
            old = Parts(jail, "1")._name(("old.csv",))
        os.utime(root / ".parts" / old, (1_000, 1_000))
    (settings.DROPS_DIR / "stray.txt").touch()
    assert clear_parts(timedelta(days=1)) == 2
    assert len(list(settings.DROPS_DIR.glob("*/.parts/*.part"))) == 2


def test_it_clears_old_parts_of_homes_too(settings, tmp_path):
    settings.DROPS_DIR = tmp_path / "drops"
    home = settings.DROPS_DIR / "one" / "homes" / "pat"
    home.mkdir(parents=True)
    with Jail(home) as jail:
        Parts(jail, "1").open(("old.csv",), fresh=True).abandon()
    for part in (home / ".parts").glob("*.part"):
        os.utime(part, (1_000, 1_000))
    assert clear_parts(timedelta(days=1)) == 1
