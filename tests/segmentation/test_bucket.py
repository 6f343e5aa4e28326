"""Two workers, one bucket: each reads what the other wrote before its step began, whole, and nothing that is gone."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segmentation import bucket
from segmentation.bucket import Bucket
from segmentation.config import Settings
from segmentation.errors import InvalidSetting, LakeFull, LakeRefused, LakeUnreachable
from segmentation.lake import Lake, brought, is_kept, measure, names_in, remove, replacing

DAY, OTHER = date(2026, 3, 1), date(2026, 3, 10)


def rows(number: int, length: int = 3) -> pa.Table:
    return pa.table({"a": [number] * length})


def read(file: Path) -> list[int]:
    return list(pq.ParquetFile(file).read()["a"].to_pylist())


@pytest.fixture
def worker(make_settings: Callable[..., Settings], lake_url: str, tmp_path: Path) -> Callable[[str], Settings]:
    return lambda name: make_settings(home=tmp_path / name, lake_url=lake_url)


@pytest.fixture
def one(worker: Callable[[str], Settings]) -> Lake:
    return worker("one").lake


@pytest.fixture
def two(worker: Callable[[str], Settings]) -> Lake:
    return worker("two").lake


def test_what_one_worker_wrote_the_next_step_of_another_reads(one: Lake, two: Lake) -> None:
    two.refresh()
    one.write_table(rows(1), one.rows_file("raw", "orders", DAY))
    one.write_json({"day": DAY}, one.day_manifest("raw", DAY))
    # a step sees the lake as it was when it began
    assert two.days("raw", "orders") == []
    two.refresh()
    assert two.days("raw", "orders") == [DAY]
    assert read(two.rows_file("raw", "orders", DAY)) == [1, 1, 1]
    assert two.day_manifests("raw") == {DAY: {"day": "2026-03-01"}}
    assert two.has_rows("raw", "orders", DAY)
    assert not two.has_rows("raw", "orders", OTHER)


def test_a_replaced_file_is_fetched_again_even_if_it_is_as_long_and_as_old(one: Lake, two: Lake) -> None:
    target = one.rows_file("raw", "orders", DAY)
    for number in range(1, 6):
        one.write_table(rows(number), target)
        two.refresh()
        assert read(two.rows_file("raw", "orders", DAY)) == [number] * 3


def test_what_is_gone_is_gone_from_every_copy_and_nothing_else(one: Lake, two: Lake) -> None:
    for day in (DAY, OTHER):
        one.write_table(rows(1), one.rows_file("raw", "orders", day))
    two.refresh()
    copies = [two.rows_file("raw", "orders", day) for day in (DAY, OTHER)]
    one.remove(one.place("raw", "orders", day=DAY))
    one.remove(one.place("raw", "nothing"))
    assert one.days("raw", "orders") == [OTHER]
    two.refresh()
    assert [copy.exists() for copy in copies] == [False, True]
    assert two.days("raw", "orders") == [OTHER]


def test_a_day_is_not_taken_for_another_whose_name_begins_alike(one: Lake, two: Lake) -> None:
    for version in ("1", "10"):
        one.write_json({}, one.path("segmentations", version=version) / "x.json")
    one.remove(one.place("segmentations", version="1"))
    two.refresh()
    assert names_in(two.place("segmentations")) == ["version=10"]
    two.path("segmentations", version="1")
    assert not (two.root / "segmentations").exists()


def test_only_what_is_asked_for_is_fetched_and_once(one: Lake, two: Lake) -> None:
    for day in (DAY, OTHER):
        one.write_table(rows(1), one.rows_file("checked", "orders", day))
        one.write_table(rows(1), one.path("features", day=day) / "static.parquet")
    two.refresh()
    two.path("features", day=DAY)
    assert {file.parent.name for file in two.root.rglob("*.parquet")} == {"day=2026-03-01"}
    # a table whose days are listed is read day by day
    two.days("checked", "orders")
    two.rows_file("checked", "orders", DAY)
    assert len(list((two.root / "checked").rglob("*.parquet"))) == 2
    assert isinstance(two.bucket, Bucket)
    fetched = two.bucket.requests["get_object"]
    two.refresh()
    two.rows_file("checked", "orders", OTHER)
    assert two.bucket.requests["get_object"] == fetched == 3
    assert measure(two.place("features"))[0] == 2 * measure(two.place("features", day=DAY))[0]


def test_more_objects_than_one_answer_holds(one: Lake, two: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_MOST_LISTED", 3)
    monkeypatch.setattr(bucket, "_MOST_DELETED", 2)
    folder = one.path("many")
    for number in range(20):
        with replacing(folder / str(number)) as temporary:
            temporary.write_text(str(number))
    two.refresh()
    assert sum(int(file.read_text()) for file in two.path("many").iterdir()) == sum(range(20))
    two.remove(two.place("many"))
    one.refresh()
    assert names_in(one.place("many")) == []
    assert list(folder.iterdir()) == []


def test_scratch_stays_on_the_worker(one: Lake, two: Lake) -> None:
    scratch = one.root / "tmp" / "features" / "x.parquet"
    one.write_table(rows(1), scratch)
    one.refresh()
    assert scratch.exists()
    two.refresh()
    assert not is_kept(two.root / "tmp" / "features" / "x.parquet")
    assert isinstance(one.bucket, Bucket)
    assert "put_object" not in one.bucket.requests
    remove(scratch.parent)
    assert not scratch.parent.exists()


def test_a_failed_writer_changes_nothing_anywhere(one: Lake, two: Lake) -> None:
    target = one.rows_file("raw", "orders", DAY)
    one.write_table(rows(1), target)
    with pytest.raises(FileNotFoundError), replacing(target) as temporary:
        temporary.with_name("elsewhere").rename(temporary)
    assert read(target) == [1, 1, 1]
    two.refresh()
    assert read(two.rows_file("raw", "orders", DAY)) == [1, 1, 1]
    assert [file.name for file in target.parent.iterdir()] == ["rows.parquet"]


def test_a_worker_that_died_between_bucket_and_copy_is_brought_up_to_date(one: Lake, two: Lake) -> None:
    target = one.rows_file("raw", "orders", DAY)
    one.write_table(rows(1), target)
    old = target.read_bytes()
    one.write_table(rows(2), target)
    # the object is put, the copy is still the old one
    target.write_bytes(old)
    one.refresh()
    assert read(one.rows_file("raw", "orders", DAY)) == [2, 2, 2]


def test_a_process_that_answers_for_long_asks_again_what_is_there(worker: Callable[[str], Settings]) -> None:
    writer, server = worker("one"), worker("two")
    pages, report = server.data_docs / "2026-03-01", server.reports / "2026-03-01.html"
    assert not brought(pages, anew=True).exists()
    for text in ("first", "second"):
        for written in (writer.data_docs / "2026-03-01" / "index.html", writer.reports / "2026-03-01.html"):
            with replacing(written) as temporary:
                temporary.write_text(text)
        assert (brought(pages, anew=True) / "index.html").read_text() == text
        assert brought(report, anew=True).read_text() == text
    remove(writer.data_docs / "2026-03-01")
    remove(writer.reports / "2026-03-01.html")
    assert not (brought(pages, anew=True) / "index.html").exists()
    assert not brought(report, anew=True).exists()


def write_again_and_again(home: Path, url: str, number: int) -> None:
    lake = Settings(home=home, lake_url=url).lake
    for _ in range(8):
        lake.write_table(rows(number, 200_000), lake.rows_file("raw", "orders", DAY))


@pytest.mark.parametrize("same_worker", [True, False], ids=["of one worker", "of two workers"])
def test_a_reader_beside_two_writers_sees_whole_files_and_ends_with_the_last(
    same_worker: bool, lake_url: str, tmp_path: Path, two: Lake
) -> None:
    context = multiprocessing.get_context("spawn")
    homes = [tmp_path / ("one" if same_worker else str(number)) for number in (1, 2)]
    writers = [context.Process(target=write_again_and_again, args=(homes[n - 1], lake_url, n)) for n in (1, 2)]
    for writer in writers:
        writer.start()
    seen, looks = set(), 0
    while any(writer.is_alive() for writer in writers):
        two.refresh()
        if two.has_rows("raw", "orders", DAY):
            looks += 1
            values = read(two.rows_file("raw", "orders", DAY))
            assert len(values) == 200_000
            assert len(set(values)) == 1
            seen.add(values[0])
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert seen == {1, 2}
    assert looks > 2
    lakes = [Settings(home=home, lake_url=lake_url).lake for home in homes]
    for lake in (two, *lakes):
        lake.refresh()
    assert len({lake.rows_file("raw", "orders", DAY).read_bytes() for lake in (two, *lakes)}) == 1


def test_threads_write_and_read_at_the_same_time(one: Lake, two: Lake) -> None:
    one.write_table(rows(0), one.rows_file("checked", "orders", OTHER))
    one.refresh()

    def write(number: int) -> None:
        for day in range(1, 8):
            one.write_table(rows(number), one.rows_file("raw", f"table_{number}", date(2026, 3, day)))
            one.path("checked")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    two.refresh()
    assert [len(two.days("raw", f"table_{number}")) for number in range(4)] == [7] * 4


def test_a_missing_bucket_is_named_with_setting_and_remedy(
    make_settings: Callable[..., Settings], lake_url: str, tmp_path: Path
) -> None:
    lake = make_settings(lake_url="s3://not-there/shop").lake
    said = r"s3://not-there/shop \(SEGMENTATION_LAKE\) cannot be used: NoSuchBucket.*Make the bucket, or correct"
    with pytest.raises(LakeRefused, match=said):
        lake.refresh()
    with pytest.raises(LakeRefused, match=said):
        lake.write_json({}, lake.root / "x.json")
    assert not (lake.root / "x.json").exists()


def test_missing_credentials_are_named_with_the_variables(
    worker: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(LakeRefused, match=r"NoCredentialsError.*Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        worker("one").lake.refresh()


def test_a_store_that_is_down_can_be_tried_again_and_no_secret_is_told(
    worker: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(LakeUnreachable, match="AWS_ENDPOINT_URL") as refused:
        worker("one").lake.refresh()
    assert "a-secret-key" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (("AccessDenied", 403), LakeRefused),
        (("SlowDown", 503), LakeUnreachable),
        (("XMinioStorageFull", 507), LakeFull),
    ],
    ids=["no right", "too fast", "store full"],
)
def test_what_the_store_says_decides_whether_a_retry_helps(
    answer: tuple[str, int], error: type[Exception], worker: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    word, status = answer
    with _store_that_says(word, status) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        lake = worker("one").lake
        with pytest.raises(error) as told:
            lake.refresh()
    assert "a-secret-key" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/srv/lake", "begin with s3://"),
        ("s3://user:secret@bucket/x", "holds a login"),
        ("s3:///x", "lacks the bucket"),
        ("s3://bucket/x?endpoint_override=y", "AWS_ENDPOINT_URL"),
    ],
)
def test_a_url_that_cannot_work_is_refused_without_being_told(url: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said) as refused:
        Settings(lake_url=url)
    assert "secret" not in str(refused.value)


def test_the_setting_is_read_from_the_environment_and_a_bench_leaves_the_bucket_alone(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert make_settings().lake == Lake(tmp_path / "home" / "lake")
    monkeypatch.setenv("SEGMENTATION_LAKE", "s3://bucket/shop")
    settings = make_settings()
    assert settings.lake_url == "s3://bucket/shop"
    assert settings.models == tmp_path / "home" / "copy" / "models"
    assert settings.apart(tmp_path / "bench").lake == Lake(tmp_path / "bench" / "lake")


def test_old_versions_that_stay_in_a_bucket_are_told_of(one: Lake) -> None:
    assert isinstance(one.bucket, Bucket)
    assert one.bucket.keeps_old_versions() is False
    one.bucket._call("put_bucket_versioning", one.root, VersioningConfiguration={"Status": "Enabled"})
    assert one.bucket.keeps_old_versions() is True


@contextmanager
def _store_that_says(word: str, status: int) -> Iterator[str]:
    """Serve a store that answers everything in one way, and yield its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"<Error><Code>{word}</Code><Message>a-secret-key</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
