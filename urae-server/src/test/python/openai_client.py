"""Drives a running server with OpenAI's client for Python.

    ./urae serve --port 7860 &
    pip install openai pillow
    python openai_client.py http://127.0.0.1:7860/v1
"""

import base64
import io
import json
import sys
import time
import urllib.request

import openai
from PIL import Image

BASE = sys.argv[1]
client = openai.OpenAI(base_url=BASE, api_key="any-key-at-all", max_retries=0)
BOAT = dict(model="gpt-image-1", prompt="a sailing boat on the sea", size="128x96")
SHORT = {"seed": 7, "steps": 4}


def picture(item):
    return Image.open(io.BytesIO(base64.b64decode(item.b64_json)))


def timed(name, call):
    begun = time.monotonic()
    result = call()
    print(f"{name}: {time.monotonic() - begun:.2f} s", result)


def generate():
    response = client.images.generate(**BOAT, extra_body=SHORT)
    assert picture(response.data[0]).size == (128, 96)
    assert picture(response.data[0]).info["seed"] == "7"
    return response.size, response.output_format, response.usage.output_tokens


def two():
    response = client.images.generate(**BOAT, n=2, extra_body=SHORT)
    assert len({item.b64_json for item in response.data}) == 2
    return len(response.data)


def stream():
    events = list(client.images.generate(**BOAT, stream=True, partial_images=3, extra_body=SHORT))
    assert [event.type for event in events] == 3 * ["image_generation.partial_image"] + ["image_generation.completed"]
    return [(event.type, picture(event).size) for event in events]


def edit():
    start = io.BytesIO()
    Image.new("RGB", (96, 64), (200, 120, 40)).save(start, "png")
    response = client.images.edit(
        model="gpt-image-1", image=("start.png", start.getvalue()), prompt="the sea at night",
        extra_body={"strength": 0.5, "steps": 4})
    assert picture(response.data[0]).size == (96, 64)
    return response.size


def webp():
    response = client.images.generate(**BOAT, output_format="webp", extra_body=SHORT)
    image = picture(response.data[0])
    assert (image.format, image.size) == ("WEBP", (128, 96))
    assert json.loads(image.getexif()[270])["seed"] == "7"
    return response.output_format, len(response.data[0].b64_json)


def links():
    response = client.images.generate(**BOAT, response_format="url", extra_body=SHORT)
    with urllib.request.urlopen(response.data[0].url) as answer:
        assert Image.open(io.BytesIO(answer.read())).size == (128, 96)
    return response.data[0].url.split("/v1/")[0]


def closing():
    events = client.images.generate(
        model="any", prompt="the sea", size="256x256", stream=True, partial_images=3,
        extra_body={"steps": 200})
    next(iter(events))
    events.response.close()
    for _ in range(100):
        with urllib.request.urlopen(BASE + "/jobs?limit=1") as answer:
            job = json.load(answer)["data"][0]
        if job["status"] == "cancelled":
            return job["status"]
        time.sleep(0.1)
    raise AssertionError(job["status"])


def errors():
    told = []
    for change in (dict(size="100x100"), dict(n=11), dict(prompt=""), dict(output_format="gif"),
                   dict(extra_body={"adapters": ["none"]}), dict(extra_body={"unknown": 1}),
                   dict(background="transparent")):
        try:
            client.images.generate(**{**BOAT, **change})
            raise AssertionError(change)
        except openai.BadRequestError as error:
            told.append((error.param, error.code))
    try:
        client.images.edit(model="any", image=b"no picture", prompt="x")
        raise AssertionError("no picture")
    except openai.BadRequestError as error:
        told.append((error.param, error.code))
    return told


for name, call in (("generate", generate), ("n = 2", two), ("stream", stream), ("edit", edit), ("webp", webp), ("url", links),
                   ("closing cancels", closing), ("errors", errors),
                   ("models", lambda: [model.id for model in client.models.list()])):
    timed(name, call)
