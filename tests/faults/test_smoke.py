from tests.faults import invariants
from tests.faults.sender import rows
import time


def test_it_imports(working, sender):
    t = time.monotonic()
    sender.send_and_ring("a", rows(1, 1000))
    sender.final("a")
    print("took", time.monotonic() - t)
    for i in range(10):
        sender.send(f"b{i}", rows(1000 * i, 1000, "b"))
    t = time.monotonic()
    working.ring_poll(sender.tenant.pk)
    invariants.hold(sender)
    print("ten took", time.monotonic() - t)
