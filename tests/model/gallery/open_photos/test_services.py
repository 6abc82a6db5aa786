"""What to search for, and what the answers of the services mean."""

from dataclasses import replace

import pytest

from model.checkpoint.checkpoint import Checkpoint
from model.errors import GalleryError
from model.gallery.open_photos.animals import animals, known_animals
from model.gallery.open_photos.licences import open_licence
from model.gallery.open_photos.services import Commons, INaturalist, Openverse, services
from train.data.classes import ANIMALS


def test_all_55_animals_have_search_terms() -> None:
    assert tuple(animals()) == ANIMALS
    for animal in animals().values():
        assert animal.words
        assert (animal.source == "inaturalist") == bool(animal.taxa)


def test_only_animals_that_the_encoder_knows_are_searched_for(tiny_checkpoint: Checkpoint) -> None:
    manifest = tiny_checkpoint.manifest
    assert [animal.name for animal in known_animals(manifest)] == ["ant", "bat", "cat"]
    sea = replace(manifest, classes=["sea_turtle", "chair", "shark"])
    assert [animal.name for animal in known_animals(sea)] == ["sea_turtle", "shark"]
    with pytest.raises(GalleryError, match="knows none of the animals"):
        known_animals(replace(manifest, classes=["chair", "cup", "car"]))
    with pytest.raises(GalleryError, match="trained without '--loss cosface'"):
        known_animals(replace(manifest, embedding_size=manifest.projection_size))


def test_words_of_other_subjects_are_found() -> None:
    cat = animals()["cat"]
    assert cat.wrong_word("Bronze Statue of a cat") == "bronze"
    assert cat.wrong_word("Skulls of cats") == "skull"
    assert cat.wrong_word("My cat in the garden") == ""


def test_answers_with_missing_fields_give_no_usable_photo() -> None:
    empty: list[object] = [{}, [], None, {"results": None}]
    for service in (INaturalist(), Openverse(), Commons()):
        for odd in (*empty, {"results": [1]}, {"query": {"pages": [{}]}}):
            assert all(offer.licence is None for offer in service.read(odd))


def test_commons_is_read_as_documented() -> None:
    told = {
        "Artist": {"value": '<a href="//x">Example &amp; User</a>'},
        "License": {"value": "cc-by-sa-4.0"},
        "ObjectName": {"value": "Tabby cat"},
        "Categories": {"value": "Tabby cats|Quality images"},
    }
    info = {
        "mime": "image/jpeg",
        "thumburl": "https://thumb.wikimedia.org/a/960px-Tabby.jpg?utm_source=x",
        "descriptionurl": "https://commons.wikimedia.org/wiki/File:Tabby.jpg",
        "extmetadata": told,
    }
    page = {"pageid": 9, "title": "File:Tabby.jpg", "index": 1, "imageinfo": [info]}
    (offer,) = Commons().read({"query": {"pages": [page]}})
    assert (offer.id, offer.creator, offer.title) == ("commons-9", "Example & User", "Tabby cat")
    assert offer.image == "https://thumb.wikimedia.org/a/960px-Tabby.jpg"
    assert offer.licence == open_licence("cc-by-sa-4.0")
    told["Restrictions"] = {"value": "personality"}
    assert Commons().read({"query": {"pages": [page]}})[0].flaw == "restricted"


def test_odd_addresses_and_texts_do_not_stop_the_reading_of_an_answer() -> None:
    info = {"mime": "image/jpeg", "thumburl": "https://[?x", "descriptionurl": "\ud800"}
    (offer,) = Commons().read({"query": {"pages": [{"pageid": 9, "imageinfo": [info]}]}})
    assert (offer.image, offer.page) == ("https://[", "?")


def test_commons_is_used_only_with_a_contact() -> None:
    assert "commons" not in services("")
    assert "commons" in services("me@example.org")
