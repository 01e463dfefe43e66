# SPDX-License-Identifier: MIT
"""JupyterHub as Debian ships it, on a host of its own, and people who use it in a browser."""
import json

from . import machine, rootfs

PACKAGES = ("jupyterhub", "jupyter-notebook")
PORT = 8000
EXAMPLES = rootfs.SOURCE / "docs/examples/jupyterhub"
SPAWN_SECONDS = 60


def boot(name="worker-9", **kwargs):
    """A host that has it installed, and not yet running."""
    layer = rootfs.layer("jupyterhub", PACKAGES, masked=("jupyterhub.service",))
    return machine.Machine(name, layers=[layer], **kwargs).boot()


class Hub:
    def __init__(self, host):
        self.host = host
        self.url = f"http://{host.address}:{PORT}"

    def stock(self, *settings):
        """As Debian's unit starts it: no configuration, so PAM with the service that JupyterHub takes by itself."""
        self._start("\n".join(["c = get_config()", *settings]) + "\n")

    def example(self, *settings):
        """As docs/examples/jupyterhub says."""
        for source, target in (("pam.d-jupyterhub", "/etc/pam.d/jupyterhub"),
                               ("revocations.py", "/etc/jupyterhub/revocations.py")):
            self.host.write(target, (EXAMPLES / source).read_text())
        self._start((EXAMPLES / "jupyterhub_config.py").read_text() + "\n".join(settings) + "\n")

    def _start(self, configuration):
        self.host.write("/etc/jupyterhub/jupyterhub_config.py", configuration, 0o600)
        self.host.write("/etc/systemd/system/jupyterhub.service.d/test.conf", "[Service]\nExecStart=\nExecStart="
                        "/usr/bin/python3 -m jupyterhub.app -f /etc/jupyterhub/jupyterhub_config.py --upgrade-db\n")
        self.host.sh("systemctl unmask -q jupyterhub.service; systemctl daemon-reload && "
                     "systemctl restart jupyterhub.service")
        assert self.host.wait_until(self.answers, 60), self.log()

    def answers(self):
        done = self.host.run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:"
                             f"{PORT}/hub/api').status)", check=False)
        return done.out.strip() == "200"

    def stop(self):
        self.host.run("systemctl", "stop", "jupyterhub.service")

    def log(self):
        return self.host.run("journalctl", "-q", "--no-pager", "-u", "jupyterhub.service", "-n", "60").out

    # --- what people do

    def sign_in(self, browser, name, secret):
        """The form, filled in and sent: True, or what it said."""
        browser.forget()
        browser.open(f"{self.url}/hub/login?next=%2Fhub%2Fhome")
        browser.type("#username_input", name)
        browser.type("#password_input", secret)
        browser.click("#login_submit")
        if browser.seen(".login_error", "#logout", seconds=40) == "#logout":
            return True
        return browser.text(".login_error")

    def server(self, browser, name):
        """Their server; what is there when it runs."""
        browser.open(f"{self.url}/hub/spawn/{name}")
        try:
            browser.seen("#notebook_list, .alert-danger, .error", seconds=SPAWN_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from error
        assert browser.has("#notebook_list"), browser.text() + self.log()
        return browser.url

    def in_terminal(self, browser, name, command):
        """What a command prints in a terminal of their server: by its own API, from the page that stands open."""
        text = browser.script("""
            const [name, command] = a;
            const token = document.cookie.match(/_xsrf=([^;]*)/);
            const made = await fetch(`/user/${name}/api/terminals`, {
                method: 'POST', headers: token ? {'X-XSRFToken': decodeURIComponent(token[1])} : {}});
            if (!made.ok) throw new Error(`terminals: ${made.status} ${await made.text()}`);
            const terminal = (await made.json()).name;
            return await new Promise((resolve, reject) => {
                const socket = new WebSocket(`ws://${location.host}/user/${name}/terminals/websocket/${terminal}`);
                let out = '';
                setTimeout(() => reject(new Error(`nothing came but ${out}`)), 15000);
                socket.onopen = () => socket.send(JSON.stringify(['stdin', command + '; echo the-"end"\\r']));
                socket.onmessage = (message) => {
                    const [kind, text] = JSON.parse(message.data);
                    if (kind === 'stdout') out += text;
                    if (out.includes('the-end')) resolve(out);
                };
                socket.onerror = () => reject(new Error('the socket broke'));
            });""", name, command)
        assert not text.startswith("failed:"), text
        return text.split("the-end")[0]

    def servers(self, browser):
        """Whether the page's person has a server running, as the hub says."""
        return json.loads(browser.script(
            "return await (await fetch('/hub/api/user', {headers: {Accept: 'application/json'}})).text();"))
