"""Asks django-smart-ratelimit, so that a test can see it share its counters.

    driver.py PORT ALGORITHM RATE WINDOW

limits requests of one address, with the Redis server on this port of loopback. WINDOW is `clock` or
`first_request`. Each line on standard input is a number of requests; each request is answered by
a line with its status and what the header says is left.
"""

import logging
import sys

import django
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory

ADDRESS = "203.0.113.7"
BUCKETS = ("token_bucket", "leaky_bucket")


def configure(port, algorithm, window):
    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["*"],
        LOGGING_CONFIG=None,
        RATELIMIT_BACKEND="redis",
        RATELIMIT_REDIS={"host": "127.0.0.1", "port": int(port)},
        RATELIMIT_ALGORITHM="sliding_window" if algorithm in BUCKETS else algorithm,
        RATELIMIT_ALIGN_WINDOW_TO_CLOCK=window == "clock",
    )
    logging.disable(logging.CRITICAL)
    django.setup()


def view(algorithm, rate):
    from django_smart_ratelimit import rate_limit

    of_view = {"algorithm": algorithm} if algorithm in BUCKETS else {}

    @rate_limit(key="ip", rate=rate, **of_view)
    def limited(request):
        return HttpResponse("ok")

    return limited


def main(port, algorithm, rate, window):
    configure(port, algorithm, window)
    limited = view(algorithm, rate)
    request = RequestFactory().get("/", REMOTE_ADDR=ADDRESS)
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            response = limited(request)
            left = response.headers.get("X-RateLimit-Remaining", "-")
            print(f"{response.status_code} {left}", flush=True)


main(*sys.argv[1:])
