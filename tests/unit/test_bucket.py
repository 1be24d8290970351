"""The bucket of tokens that agents and the operator pace their writes by."""

from eclip.bucket import Bucket


def test_a_bucket_fills_up_to_its_burst_and_no_further() -> None:
    bucket = Bucket.full(burst=3.0, per_second=2.0).taken(3.0)

    assert [bucket.refilled(now).tokens for now in (0.0, 0.5, 1.5, 100.0)] == [0.0, 1.0, 3.0, 3.0]


def test_a_clock_that_goes_back_takes_no_token() -> None:
    assert Bucket(burst=3.0, per_second=2.0, tokens=1.0, at=10.0).refilled(5.0).tokens == 1.0
