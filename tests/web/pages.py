#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pages of corral-web make of carts, in a headless Chromium (`make web-test`).

Usage: BUILD=dir [SHOTS=dir] tests/web/pages.py [CLAIM...]   from the root
A claim is a function whose name says what holds. The last line is `N passed, N failed`.
"""

import concurrent.futures
import contextlib
import inspect
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "kit"))
from browser import Browser  # noqa: E402

BUILD = os.path.realpath(os.environ.get("BUILD", "build"))
SHOTS = os.environ.get("SHOTS", "")
SIZES = ((360, 740), (800, 900), (1600, 1000))
HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>\u202egnp.\n\u0007'
MENU = (("Chicken Tikka Masala", "13.95"), ("Garlic Naan", "3.50"), ("Fries", "3.29"),
        ("Large Pepperoni Pizza", "18.99"), ("Double Cheeseburger", "9.49"),
        ("Steamed Rice", "2.00"), ("Mango Lassi", "4.25"), ("Pad Thai", "12.40"))

TICKETS = """[...document.querySelectorAll('.ticket:not(.ended)')].map((one) => [
    one.dataset.restaurant, one.dataset.session, one.dataset.version, one.dataset.status,
    Number(one.dataset.items), one.querySelector('.total').textContent])"""


class Place:
    """A directory with an agent and a corral-web, both of which may be killed."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="corral-web.")
        self.dir = os.path.join(self.home, "carts")
        self.port = 0
        self.agent = subprocess.Popen(
            [BUILD + "/corral-agent", "--dir", self.dir, "--size", "64M"],
            stderr=subprocess.DEVNULL)
        until(lambda: self.corral("ls", check=False).returncode == 0)
        self.web = None
        self.start_web()

    def start_web(self):
        self.web = subprocess.Popen(
            [BUILD + "/corral-web", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}"],
            stdout=subprocess.PIPE, text=True)
        self.url = self.web.stdout.readline().split()[-1].rstrip("/")
        self.port = int(self.url.rsplit(":", 1)[1])

    def corral(self, *arguments, check=True):
        return subprocess.run([BUILD + "/corral", "--dir", self.dir, *arguments], check=check,
                              capture_output=True, text=True, timeout=60)

    def add(self, restaurant, session, name="Burger", price="8.99", *more):
        self.corral("add", restaurant, session, "--item", name, "--name", name, "--price", price,
                    *more)

    def rows(self):
        """What `corral ls` says, in the form of TICKETS."""
        return sorted([one["restaurant_id"], one["session_id"], str(one["version"]),
                       one["status"], one["item_count"],
                       f"{one['total_cents'] // 100}.{one['total_cents'] % 100:02d}"]
                      for one in json.loads(self.corral("ls", "--json").stdout))

    def fill(self, count):
        chance = random.Random(1)
        for n in range(count):
            restaurant = chance.choice(("luigis-trattoria", "bombay-palace", "golden-dragon"))
            for _ in range(chance.randint(1, 5)):
                name, price = chance.choice(MENU)
                more = ["--quantity", str(chance.randint(1, 3))]
                if chance.random() < 0.3:
                    more += ["--modifier", "extra cheese=1.50", "--note", "cut in small pieces"]
                self.add(restaurant, f"call-{n:04x}", name, price, *more)
            if n % 5 == 0:
                self.corral("checkout", restaurant, f"call-{n:04x}")

    def replay(self, restaurant):
        """The orders of the file: 300 carts, a thousand changes."""
        subprocess.run([BUILD + "/corral-bench", "replay", "bench/replay/orders.tsv", "--dir",
                        self.dir, "--restaurant", restaurant, "--keep"], check=True,
                       capture_output=True, timeout=120)

    def end(self):
        for process in (self.web, self.agent):
            process.kill()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)


def until(condition, what="it never happens"):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.02)


def same_as_ls(place, page):
    """At rest the page has what `corral ls` has."""
    want = place.rows()
    have = []
    with contextlib.suppress(TimeoutError):
        until(lambda: have.__setitem__(slice(None), sorted(page.evaluate(TICKETS))) or
              have == want)
    assert have == want, (have, want)


def open_board(place, page, **how):
    page.open(place.url + "/", **how)
    page.until("document.body?.dataset.listed && document.getElementById('live').dataset.state"
               " === 'live'")


def shoot(page, name):
    if SHOTS:
        os.makedirs(SHOTS, exist_ok=True)
        time.sleep(2)  # the last animation is over
        page.screenshot(os.path.join(SHOTS, name + ".png"))


# ------------------------------------------------------------------------------------- claims

def the_board_shows_what_ls_shows_at_each_width(place, page):
    place.fill(24)
    for width, height in SIZES:
        for dark in (False, True):
            open_board(place, page, width=width, height=height, dark=dark)
            same_as_ls(place, page)
            assert page.evaluate("document.documentElement.scrollWidth") == width
            over = page.evaluate(
                "[...document.querySelectorAll('.ticket, .ticket *')].filter((one) =>"
                " one.getBoundingClientRect().right > innerWidth).length")
            assert over == 0, f"{over} parts are cut off at {width}"
            shoot(page, f"board-{width}-{'dark' if dark else 'light'}")


def a_ticket_changes_in_its_place_and_never_back(place, page):
    place.add("luigi", "s")
    place.add("luigi", "other")
    open_board(place, page)
    page.evaluate("""
        window.seen = []
        window.kept = document.querySelector('[data-session=s]')
        new MutationObserver(() => seen.push(Number(kept.querySelector('.total').textContent)))
          .observe(kept, { subtree: true, childList: true, characterData: true })""")
    for _ in range(30):
        place.add("luigi", "s", "Tea", "1.00")
    page.until("kept.dataset.total === '38.99' && kept.isConnected")
    seen = page.evaluate("seen")
    assert seen == sorted(seen) and seen[-1] == 38.99 and seen[0] >= 8.99, seen
    assert page.evaluate("document.body.dataset.listed") == "1"
    place.corral("checkout", "luigi", "s")
    page.until("kept.dataset.status === 'checked_out'")
    place.corral("drop", "luigi", "s")
    page.until("!kept.isConnected")
    same_as_ls(place, page)


def what_strangers_said_is_text(place, page):
    place.add(HOSTILE, HOSTILE, HOSTILE, "1.00", "--note", HOSTILE, "--modifier", HOSTILE + "=0.50")
    place.add("x" * 128, "y" * 128, "z" * 3000)
    open_board(place, page, width=360)
    page.until("document.querySelectorAll('.ticket').length === 2")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert "\u2039U+202E\u203a" in page.evaluate("document.getElementById('board').textContent")
    link = page.evaluate("document.querySelector('.ticket:last-child .session').href")
    page.open(link, width=360)
    page.until("document.body?.dataset.loaded")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate("document.querySelectorAll('#content tr').length") > 3
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert page.evaluate("window.hit") is None


def a_page_goes_on_after_its_server_was_killed(place, page):
    place.add("luigi", "kept")
    place.add("luigi", "ends")
    open_board(place, page)
    page.evaluate("window.mark = 1")
    place.web.kill()
    place.web.wait()
    page.until("document.getElementById('live').dataset.state === 'lost'")
    place.add("luigi", "kept", "Tea", "1.00")
    place.add("luigi", "new")
    place.corral("drop", "luigi", "ends")
    place.start_web()
    page.until("document.getElementById('live').dataset.state === 'live'")
    same_as_ls(place, page)
    # told what came since, so that no list was needed
    assert page.evaluate("document.body.dataset.listed") == "1"
    place.web.kill()
    place.web.wait()
    place.replay("many")
    place.start_web()  # more carts have changed than it tells one by one: it says, list again
    page.until("Number(document.body.dataset.listed) > 1")
    page.until("document.querySelectorAll('.ticket:not(.ended)').length === 200")
    assert page.evaluate("mark") == 1


def what_the_server_missed_the_page_lists_again(place, page):
    place.add("luigi", "s")
    place.add("luigi", "ends")
    open_board(place, page)
    page.evaluate("window.mark = 1")
    place.web.send_signal(signal.SIGSTOP)
    place.replay("many")
    place.add("luigi", "s", "Tea", "1.00")
    place.corral("drop", "luigi", "ends")
    place.web.send_signal(signal.SIGCONT)
    page.until("document.body.dataset.listed === '2'")
    page.until("document.querySelectorAll('.ticket:not(.ended)').length === 200")
    page.until("document.querySelector('[data-session=ends]') === null")
    assert page.evaluate("document.getElementById('live').dataset.state") == "live"
    place.add("luigi", "after")
    page.until("document.querySelector('[data-session=after]') !== null")
    assert page.evaluate("mark") == 1 and page.evaluate("document.body.dataset.listed") == "2"


def an_order_shows_its_history_until_it_is_over(place, page):
    place.add("luigi", "s")
    place.corral("tax", "luigi", "s", "8.25%")
    page.open(place.url + "/order?restaurant=luigi&session=s")
    page.until("document.querySelectorAll('.history li').length === 2")
    page.until("document.getElementById('live').dataset.state === 'live'")
    place.add("luigi", "s", "Tea", "2.00")
    page.until("document.querySelectorAll('.history li').length === 3")
    page.until("document.getElementById('cart').dataset.total === '11.90'")
    assert "1 \u00d7 Tea added" in page.evaluate("document.querySelector('.history').textContent")
    shoot(page, "order-1280-light")
    place.corral("drop", "luigi", "s")
    page.until("document.querySelector('.history .dropped') !== null")
    page.until("document.getElementById('cart').dataset.status === 'ended'")


def health_draws_its_charts(place, page):
    place.fill(5)
    place.corral("events", "--cursor", "kitchen")
    place.add("luigi", "behind")
    for width, height in SIZES:
        page.open(place.url + "/health", width=width, height=height, dark=width == 800)
        page.until("document.body?.dataset.loaded")
        page.until("document.querySelectorAll('.plot .line').length === 8")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        shoot(page, f"health-{width}")
    page.until("document.getElementById('cursors').textContent.includes('kitchen1')")
    assert page.evaluate("document.getElementById('processes').textContent").count("corral-") == 2


def one_who_does_not_read_is_let_go_of(place, page):
    """It is lapped by the messages, or has not taken one for fifteen seconds."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", place.port))
    slow.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    open_board(place, page)
    steps = "".join(json.dumps({
        "step": "add", "menu_item_id": f"i{n}", "name": "n" * 120, "notes": "o" * 160,
        "unit_price_cents": 100, "quantity": 1, "modifiers": [
            {"name": str(k) * 100, "price_cents": 0} for k in range(6)]}) + "\n"
        for n in range(12))

    def order(n):
        subprocess.run([BUILD + "/corral", "--dir", place.dir, "apply", "luigi", f"s{n}"],
                       input=steps, text=True, check=True, capture_output=True, timeout=60)

    def listeners():
        with urllib.request.urlopen(place.url + "/metrics", timeout=30) as answer:
            return answer.read().decode().split("\ncorral_web_listeners ")[1].split("\n")[0]

    assert listeners() == "2"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:  # 10 MB: more than sockets hold
        list(pool.map(order, range(1500)))
    until(lambda: listeners() == "1", "it keeps its place")
    page.until("document.querySelectorAll('.ticket:not(.ended)').length === 200")
    place.add("luigi", "last")
    page.until("document.querySelector('[data-session=last]') !== null")
    slow.close()


def run(claim):
    place = page = None
    try:
        place = Place()
        page = Browser()
        claim(place, page)
        said = [one for one in page.complaints() if "ERR_" not in one and "404" not in one]
        assert not said, said
    except Exception:  # pylint: disable=broad-except
        print(f"not ok {claim.__name__}: {traceback.format_exc()}")
        return False
    finally:
        if page is not None:
            page.close()
        if place is not None:
            place.end()
    print(f"ok {claim.__name__}", flush=True)
    return True


def main():
    claims = [one for _, one in inspect.getmembers(sys.modules[__name__], inspect.isfunction)
              if list(inspect.signature(one).parameters) == ["place", "page"] and
              one is not same_as_ls]
    claims.sort(key=lambda one: one.__code__.co_firstlineno)
    if sys.argv[1:]:
        claims = [one for one in claims if one.__name__ in sys.argv[1:]]
    failed = [one for one in claims if not run(one)]
    print(f"{len(claims) - len(failed)} passed, {len(failed)} failed")
    return bool(failed) or not claims


if __name__ == "__main__":
    sys.exit(main())
