"""Each format, with and without its option, by the file's name and by its content; and files that are none of them."""

import csv
import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.core import BacklightError, ConfigError, DataError
from backlight.text import Reading, load_corpus

CITIES = 'name,country,lat\nParis,FR,48.8\nRome,IT,41.9\n"Foo, Bar",IT,45.3\n'
TUNES = "X:1\nT:a\nK:G\nabc|\n\nX:2\nT:b\nK:D\nabd|\n \n\nX:3\nK:D\ngg|\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="text.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# name, content, settings, items, the note
CASES = {
    "lines": ("a.txt", "ana\nbo\n\nana\n", {}, ["ana", "bo", "ana"], None),
    "lines, given": ("a.csv", CITIES, {"format": "lines"}, CITIES.splitlines(), None),
    "csv by its name": ("a.csv", CITIES, {}, ["Paris", "Rome", "Foo, Bar"], "CSV, column 'name' of 3, 3 items"),
    "csv by its content": ("a.txt", CITIES, {}, ["Paris", "Rome", "Foo, Bar"], "CSV, column 'name' of 3, 3 items"),
    "csv, column by name": ("a.csv", CITIES, {"column": "country"}, ["FR", "IT", "IT"], "column 'country' of 3"),
    "csv, column by number": ("a.csv", CITIES, {"column": 2}, ["FR", "IT", "IT"], "column 'country' of 3"),
    "csv, numbers": ("a.csv", CITIES, {"column": "lat"}, ["48.8", "41.9", "45.3"], "column 'lat' of 3"),
    "csv without a header": ("a.csv", "ana,1\nbo,2\n", {}, ["ana", "bo"], "CSV, column 1 of 2, no header, 2 items"),
    "csv, header given": ("a.csv", "ana,bo\ncy,1\n", {"header": "yes", "column": 1}, ["cy"], "column 'ana' of 2"),
    "csv, no header given": ("a.csv", "name\nbo\n", {"header": "no"}, ["name", "bo"], "column 1 of 1, no header"),
    "csv of one column": ("a.csv", "name\nana\nbo\n", {}, ["ana", "bo"], "CSV, column 'name' of 1, 2 items"),
    "csv, blank cells": ("a.csv", "name,x\nana,1\n ,2\nbo,3\n", {}, ["ana", "bo"], "2 items (1 blank left out)"),
    "csv with semicolons": ("a.txt", "Titel;Jahr\nA;1\nB;2\nC;3\n", {}, ["A", "B", "C"], "CSV with ';', column"),
    "csv, delimiter given": ("a.txt", "name!x\nana!y\n", {"column": "x", "delimiter": "!"}, ["y"], "CSV with '!'"),
    "csv, a cell of two lines": ("a.csv", 'name,x\n"a\r\nb",1\n', {}, ["a\nb"], "1 item"),
    "csv with a byte-order mark": ("a.csv", "\ufeffname,sex\nana,f\n", {}, ["ana"], "column 'name' of 2"),
    "tsv by its name": ("a.tsv", "id\ttext\n1\tana\n2\tbo\n", {}, ["ana", "bo"], "TSV, column 'text' of 2, 2 items"),
    "tsv by its content": ("a.txt", "ana\t1\nbo\t2\ncy\t3\n", {}, ["ana", "bo", "cy"], "TSV, column 1 of 2, no header"),
    "json lines by their name": ("a.jsonl", '{"title": "a b", "n": 1}\n\n{"title": "c"}\n', {}, ["a b", "c"],
                                 "JSON lines, field 'title', 2 items"),
    "json lines by their content": ("a.txt", '{"t": "a"}\n{"t": "b", "n": 2}\n', {}, ["a", "b"], "JSON lines, field"),
    "json lines, field": ("a.jsonl", '{"x": "a", "y": "b"}\n{"x": "c", "y": null}\n', {"field": "y"}, ["b"],
                          "field 'y', 1 item (1 without text left out)"),
    "json lines, field of a field": ("a.jsonl", '{"m": {"t": "a"}}\n', {"field": "m.t"}, ["a"], "field 'm.t'"),
    "json lines, strings": ("a.jsonl", '"a"\n"b\\nc"\n', {}, ["a", "b\nc"], "JSON lines, strings, 2 items"),
    "json": ("a.json", '[{"name": "ana"},\n {"name": "bo"}]', {}, ["ana", "bo"], "JSON, field 'name', 2 items"),
    "json by its content": ("a.txt", '["ana",\n"bo"]', {}, ["ana", "bo"], "JSON, strings, 2 items"),
    "fasta by its name": ("a.fa", ">s1 x\nACGT\nAC\n;c\n>s2\n\n>s3\nG G\n", {}, ["ACGTAC", "GG"],
                          "FASTA, 2 items (1 without a sequence left out)"),
    "fasta by its content": ("a.txt", ">s1\r\nACGT\r\n>s2\r\nG*\r\n", {}, ["ACGT", "G*"], "FASTA, 2 items"),
    "smi": ("a.smi", "CCO\t8846\nCCN x y\nC\n", {}, ["CCO", "CCN", "C"],
            "SMILES, 3 items, 2 with an identifier, which is left out"),
    "smi with a header": ("a.smi", "SMILES ID\nCCO 1\n", {}, ["CCO"], "with a header, 1 item"),
    "tunes by their name": ("a.abc", TUNES, {}, ["X:1\nT:a\nK:G\nabc|", "X:2\nT:b\nK:D\nabd|", "X:3\nK:D\ngg|"],
                            "blocks of lines between blank lines, 3 items"),
    "tunes by their content": ("a.txt", TUNES, {}, ["X:1\nT:a\nK:G\nabc|", "X:2\nT:b\nK:D\nabd|", "X:3\nK:D\ngg|"],
                               "3 items"),
    "blocks between lines of blanks": ("a.txt", "a\nb\n \t\nc\n  \n\n\nd\n", {"format": "blank-lines"},
                                       ["a\nb", "c", "d"], "3 items"),
    "blocks, given": ("a.txt", "a\nb\r\n\r\nc\n", {"format": "blank-lines"}, ["a\nb", "c"], "2 items"),
    "end of text by its content": ("a.txt", "a\nb<|endoftext|>\n<|endoftext|>c\n", {}, ["a\nb", "c"],
                                   "texts between '<|endoftext|>', 2 items"),
    "delimiter": ("a.txt", "a\nb\n%%\nc\n%%\n", {"delimiter": r"\n%%\n"}, ["a\nb", "c"], "2 items"),
    "files": ("a.txt", "a\n\nb\n", {"format": "files"}, ["a\n\nb"], "one item"),
    "text": ("a.csv", "a,b\n c\r\n", {"format": "text"}, ["a,b\n c\n"], None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_format_gives_its_items_and_says_how_they_were_read(write, case):
    name, content, how, items, note = CASES[case]
    corpus = load_corpus(write(content, name), reading=Reading(**how))
    assert list(corpus.items) == items
    assert (corpus.notes == ()) == (note is None)
    assert note is None or note in corpus.notes[0]
    assert corpus.mode == ("text" if how.get("format") == "text" else "items")


@pytest.mark.parametrize("case", CASES)
def test_what_was_detected_reads_the_file_again(write, case):
    name, content, how, items, _ = CASES[case]
    corpus = load_corpus(write(content, name), reading=Reading(**how))
    assert corpus.reading.format is not None
    again = load_corpus(write(content, "other.bin"), reading=corpus.reading)
    assert list(again.items) == items
    assert again.reading == corpus.reading


# what must still be lines, though it has something of another format
LINES = {
    "prose": "Paris, France\nRome, Italy\nBern, Switzerland\n",
    "names with commas": "Smith, J.\nDoe, A.\nRoe, B.\n",
    "decimal commas": "3,14\n2,72\n1,41\n",
    "commas here and there": "a,b\nc\nd,e,f\n",
    "brackets": "[nH]1cc1\nC[O-]\nN]\n",
    "one brace": '{"a": 1}\nb\n',
    "quoted mail": "> hello\nyes, well\n> bye\n",
    "two lines with commas": "a,b\nc,d\n",
}


@pytest.mark.parametrize("case", LINES)
def test_lines_stay_lines(write, case):
    corpus = load_corpus(write(LINES[case]))
    assert list(corpus.items) == LINES[case].splitlines()
    assert corpus.reading.format == "lines"


def test_blocks_and_prose_with_commas_are_hinted_at(write):
    assert "--format blank-lines" in load_corpus(write("a\nb\n\nc\nd\n\ne\n")).notes[0]
    assert "--column 1" in load_corpus(write(LINES["prose"])).notes[0]
    assert load_corpus(write("a\n\nb\n\nc\n")).notes == ()


# name, content, settings, what the message says
REFUSED = {
    "two columns of text": ("a.csv", "Ana,f\nBo,m\n", {}, r"'.*a.csv' has 2: 1 \('Ana'\), 2 \('f'\).*--column 1"),
    "two by content": ("a.txt", "Ana,f\nBo,m\nCy,f\n", {}, "Choose one: --column 1"),
    "two names": ("a.csv", "first_name,last_name\na,b\n", {}, "'first_name', 'last_name'.*--column first_name"),
    "an unknown column": ("a.csv", CITIES, {"column": "contry"}, "got 'contry'. Did you mean 'country'"),
    "column 0": ("a.csv", CITIES, {"column": 0}, "a number from 1 to 3"),
    "column 4": ("a.csv", CITIES, {"column": 4}, "a number from 1 to 3"),
    "ragged": ("a.csv", "name,x\na,1\nb\n", {}, "line 3 of .* has 1, the first row 2"),
    "a quote without its pair": ("a.csv", 'name,x\n"a,1\nb,2\n', {}, "quotes in pairs.*at line 3"),
    "text after a quote": ("a.csv", 'name,x\n"a" b,1\n', {}, "quotes in pairs.*at line 2"),
    "only a header": ("a.csv", "name,x\n", {}, "only the header"),
    "an empty column": ("a.csv", "name,x\n,1\n ,2\n", {"column": "name"}, "no text in column 'name' but 2 blank"),
    "broken json": ("a.jsonl", '{"a": "b"}\n{"a": \n', {}, "line 2 of .* is not"),
    "json as lines": ("a.txt", '{"a": "b"}\n{"a" "c"}\n', {}, "line 2 of .* is not.*--format lines"),
    "a broken array": ("a.json", '["a", "b"', {}, "must be JSON; it is not"),
    "an object": ("a.json", '{"a": 1}', {"format": "json"}, "has an object"),
    "a number": ("a.jsonl", '{"a": "b"}\n{"a": 3}\n', {"field": "a"}, "field 'a' of .* is a number at line 2"),
    "a list of numbers": ("a.json", "[1, 2]", {}, "no field"),
    "two fields": ("a.jsonl", '{"a": "b", "c": "d"}\n', {}, "'a', 'c'.*--field a"),
    "an unknown field": ("a.jsonl", '{"title": "b"}\n', {"field": "titel"}, "Did you mean 'title'"),
    "fasta without a header": ("a.fasta", "ACGT\n", {}, "line 1 of .* is 'ACGT'"),
    "fasta without sequences": ("a.fasta", ">a\n>b\n", {}, "no FASTA sequence but 2 blank"),
    "a missing delimiter": ("a.txt", "a\nb\n", {"delimiter": "%%"}, "has no '%%'"),
    "only delimiters": ("a.txt", "%% %%", {"delimiter": "%%"}, "no text between '%%'"),
    "binary": ("a.csv", b"name,x\na\0,1\n", {}, "NUL byte"),
    "latin 1": ("a.csv", b"name,x\n\xe9,1\n", {}, "must be UTF-8"),
    "a damaged gzip": ("a.csv.gz", gzip.compress(CITIES.encode())[:-9], {}, "gzip file must be complete"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(write, case):
    name, content, how, says = REFUSED[case]
    with pytest.raises(BacklightError, match=says) as error:
        load_corpus(write(content, name), reading=Reading(**how))
    assert isinstance(error.value, DataError | ConfigError)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"format": "xml"}, "format must be one of lines, csv"),
        ({"format": "fasta", "column": 1}, "column is a setting of the formats csv, tsv"),
        ({"format": "csv", "field": "a"}, "field is a setting of the formats json, jsonl"),
        ({"format": "lines", "delimiter": "a"}, "delimiter is a setting of"),
        ({"format": "csv", "delimiter": "::"}, "must be one character"),
        ({"column": 1, "field": "a"}, "Leave one out"),
        ({"delimiter": ""}, "must have a character"),
        ({"normalise": "nfkc"}, "normalise must be one of nfc"),
    ],
)
def test_settings_that_contradict_each_other(how, says):
    with pytest.raises(ConfigError, match=says):
        Reading(**how)


def test_settings_of_files_are_refused_for_corpora_and_lists():
    with pytest.raises(ConfigError, match="names is a corpus of this package"):
        load_corpus("names", reading=Reading(column="name"))
    with pytest.raises(ConfigError, match="got a list of strings"):
        load_corpus(["a", "b"], reading=Reading(field="x"))
    with pytest.raises(ConfigError, match="one stream, without items"):
        load_corpus(["a"], mode="text", reading=Reading(format="csv"))
    with pytest.raises(ConfigError, match="got mode 'items'"):
        load_corpus(["a"], mode="items", reading=Reading(format="text"))


def test_gzip_is_opened_and_its_name_and_its_checksum_are_those_of_its_content(write):
    plain, packed = (load_corpus(write(data, name)) for data, name in (
        (CITIES, "a.csv"), (gzip.compress(CITIES.encode()), "a.csv.gz")))  # fmt: skip
    assert list(packed.items) == list(plain.items)
    assert packed.sha256 == plain.sha256
    assert list(load_corpus("-", stdin=io.BytesIO(gzip.compress(b"ana\nbo\n"))).items) == ["ana", "bo"]


def test_several_files_and_folders_are_read_in_order(write, tmp_path):
    first = write("ana\nbo\n", "b/first.txt")
    write(CITIES, "a/cities.csv")
    write("cy\n", "a/z.txt")
    write("hidden\n", "a/.hidden")
    corpus = load_corpus([first, tmp_path / "a"])
    assert list(corpus.items) == ["ana", "bo", "Paris", "Rome", "Foo, Bar", "cy"]
    assert corpus.notes[-1] == "3 files: 6 items"
    assert corpus.also == (str(tmp_path / "a"),)
    assert list(load_corpus(tmp_path / "a", reading=Reading(format="files")).items) == [CITIES.strip(), "cy"]
    assert list(load_corpus([first, tmp_path / "a" / "z.txt"], mode="text").items) == ["ana\nbo\ncy\n"]
    assert load_corpus([first]).sha256 == load_corpus(first).sha256 != corpus.sha256
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has none"):
        load_corpus(tmp_path / "empty")


def test_the_settings_of_another_file_are_used_for_the_same_format_only(write):
    cities = load_corpus(write(CITIES, "a.csv"), reading=Reading(column="country"))
    assert list(load_corpus(write(CITIES, "b.csv"), like=cities.reading).items) == ["FR", "IT", "IT"]
    assert load_corpus(write(CITIES, "b.csv"), like=cities.reading, reading=Reading(column=1)).items[0] == "Paris"
    assert list(load_corpus(write("ana\n", "b.txt"), like=cities.reading).items) == ["ana"]


CELL = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), st.sampled_from(",;\t"), st.booleans())
def test_a_column_that_the_csv_module_wrote_is_read_back(tmp_path_factory, rows, delimiter, gzipped):
    wanted = [text for _, cell in rows if (text := cell.strip())]
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text"), *rows])
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    data = written.getvalue().encode()
    path.write_bytes(gzip.compress(data) if gzipped else data)
    how = Reading(column="text", delimiter=delimiter)
    if wanted:
        assert list(load_corpus(path, reading=how).items) == wanted
    else:
        with pytest.raises(DataError, match="no text in column 'text'"):
            load_corpus(path, reading=how)


@settings(max_examples=30, deadline=None)
@given(st.lists(CELL, min_size=1, max_size=6), st.booleans())
def test_strings_that_the_json_module_wrote_are_read_back(tmp_path_factory, texts, array):
    records = [{"id": "x", "text": text} for text in [*texts, "last"]]
    path = tmp_path_factory.mktemp("json") / "a.json"
    lines = "\n".join(json.dumps(record, ensure_ascii=len(texts) % 2 == 0) for record in records)
    path.write_text(json.dumps(records) if array else lines, encoding="utf-8")
    corpus = load_corpus(path, reading=Reading(field="text"))
    assert list(corpus.items) == [text.strip() for text in [*texts, "last"] if text.strip()]
