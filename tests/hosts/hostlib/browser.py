# SPDX-License-Identifier: MIT
"""A headless Chromium inside a test network, as somebody with a phone would be: it reaches what the hosts reach, and
nothing of this machine or of the world."""
import concurrent.futures
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chromium.remote_connection import ChromiumRemoteConnection
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from . import namespaces

PORT = 9515  # in the network's own namespace, so nobody else has it
SECONDS = 20
# As root there is no sandbox to be had; it is for pages of these tests alone. The rest keeps it from looking for the
# world outside, which is not there.
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --disable-extensions
    --window-size=900,960 --lang=en-GB""".split()


class BrowserFailed(AssertionError):
    pass


class Browser:
    """`names`: host name → address. `pins`: keys of certificates that it takes (authority.key_pin)."""

    def __init__(self, network, names=None, pins=()):
        self.network = network
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tenantd-browser-"))
        # One thread does all of it: it moves into the network's namespace, and what it starts is there as well.
        self._thread = concurrent.futures.ThreadPoolExecutor(1, initializer=self._enter)
        self._driver = None
        self._process = None
        self._thread.submit(self._start, dict(names or {}), list(pins)).result()

    def _enter(self):
        namespace = os.open(self.network.client.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(namespace, namespaces.CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(namespace)

    def _start(self, names, pins):
        # In a process namespace of its own, so that all of Chromium's processes go with the first one.
        with open(self.folder / "driver.log", "wb") as log:
            self._process = subprocess.Popen(
                ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "chromedriver", f"--port={PORT}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=namespaces.die_with_parent,
                env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "LC_ALL": "C.UTF-8"})
        self._wait_for_driver()
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        rules = ", ".join(f"MAP {name} {address}" for name, address in names.items())
        for flag in [*FLAGS, f"--user-data-dir={self.folder}/profile",
                     *([f"--host-resolver-rules={rules}"] if rules else []),
                     *([f"--ignore-certificate-errors-spki-list={','.join(pins)}"] if pins else [])]:
            options.add_argument(flag)
        remote = ChromiumRemoteConnection(f"http://127.0.0.1:{PORT}", "goog", "chrome", keep_alive=True)
        self._driver = webdriver.Remote(command_executor=remote, options=options)
        self._driver.set_page_load_timeout(SECONDS)

    def _wait_for_driver(self):
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise BrowserFailed((self.folder / "driver.log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def do(self, what):
        """what(driver), on the browser's own thread."""

        def guarded():
            try:
                return what(self._driver)
            except WebDriverException as error:
                raise BrowserFailed(f"{error}\n{self._where()}") from error

        return self._thread.submit(guarded).result()

    def _where(self):
        try:
            return f"{self._driver.current_url}\n{self._driver.find_element(By.TAG_NAME, 'body').text[:2000]}"
        except WebDriverException as error:
            return repr(error)

    # --- what people do

    def forget(self):
        """Somebody else sits down."""
        self.do(lambda driver: driver.execute("executeCdpCommand", {"cmd": "Network.clearBrowserCookies", "params": {}}))

    def open(self, url):
        self.do(lambda driver: driver.get(url))

    def seen(self, *selectors, seconds=SECONDS):
        """Waits until one of them can be seen, and says which."""

        def one(driver):
            for selector in selectors:
                if any(element.is_displayed() for element in driver.find_elements(By.CSS_SELECTOR, selector)):
                    return selector
            return None

        ignored = (WebDriverException,)  # the page changed under its hands
        return self.do(lambda driver: WebDriverWait(driver, seconds, 0.05, ignored).until(
            one, f"none of {', '.join(selectors)} came"))

    def has(self, selector):
        return self.do(lambda driver: bool(driver.find_elements(By.CSS_SELECTOR, selector)))

    def click(self, selector):
        """Pages that are drawn anew under one's hands get a second try."""
        self.seen(selector)
        self.do(lambda driver: WebDriverWait(driver, SECONDS, 0.05, (WebDriverException,)).until(
            lambda d: d.find_element(By.CSS_SELECTOR, selector).click() or True))

    def wait_for_url(self, part):
        self.do(lambda driver: WebDriverWait(driver, SECONDS, 0.05).until(lambda d: part in d.current_url, part))

    def type(self, selector, text):
        self.seen(selector)

        def fill(driver):
            field = driver.find_element(By.CSS_SELECTOR, selector)
            field.clear()
            field.send_keys(text)

        self.do(fill)

    def text(self, selector="body"):
        return self.do(lambda driver: driver.find_element(By.CSS_SELECTOR, selector).text)

    @property
    def url(self):
        return self.do(lambda driver: driver.current_url)

    def script(self, text, *arguments):
        """Runs JavaScript in the page; a promise is waited for."""
        return self.do(lambda driver: driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"(async (...a) => {{ {text} }})(...arguments).then(done, e => done('failed: ' + e))", *arguments))

    def picture(self, path):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.do(lambda driver: driver.save_screenshot(str(path)))
        return path

    def close(self):
        def end():
            try:
                if self._driver:
                    self._driver.quit()
            except Exception:  # it ends now, one way or the other
                pass
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

        self._thread.submit(end).result()
        self._thread.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)
