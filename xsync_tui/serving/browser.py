"""The app's end of the line to a browser: Textual's, without the mouse, and it ends with the server."""

from __future__ import annotations

import asyncio

from textual import messages
from textual.drivers.web_driver import WebDriver

_NO_MOUSE = "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"


class BrowserDriver(WebDriver):
    """Draws into a pipe to the server and reads keys from another."""

    def start_application_mode(self) -> None:
        """Leave the mouse to the browser, so that selecting and copying work as in a terminal."""
        self._loop = asyncio.get_running_loop()
        super().start_application_mode()
        self.write(_NO_MOUSE)

    def run_input_thread(self) -> None:
        """Read until the pipe ends, which it does with the server, however that ended."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            asyncio.run_coroutine_threadsafe(self._app._post_message(messages.ExitApp()), self._loop)
