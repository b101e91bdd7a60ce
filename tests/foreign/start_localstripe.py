"""Starts localstripe on loopback alone; its own start listens everywhere. Usage: start_localstripe.py PORT"""

import sys

from aiohttp import web
from localstripe import server

web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None)
