"""Take git push webhooks and run ``container --update`` in the containers built from them.

The way of a push, one room after the other: ``web.hooks`` takes the bytes, ``forges``
proves and decodes them, ``service.intake`` asks ``core.matching`` for the verdicts and
``service.planner`` for the run and has ``adapters.store`` keep both before it answers;
``service.dispatcher`` gives each container its next step once ``service.admission`` says
that it may start, ``service.runner`` executes it through ``adapters.engine``, and
``core.outcome`` says what came of it.

Imports point down:

======== =============================== ==============================================
layer    modules                         may do
======== =============================== ==============================================
6        ``cli``                         stdin, stdout, reading the configuration file
5        ``app``                         builds everything below and runs it; signals
4        ``web``                         HTTP, through aiohttp
3        ``service``                     tasks, queues, deadlines
         ``gate``                        the process before the engine, and its table
2        ``adapters``                    the outside: engine, store, spool, credentials
1        ``kit``                         what goes into images: texts and bytes
1        ``core``, ``forges``, ``chat``  decisions: pure functions and reducers
0        ``config``, ``model``,          values only
         ``units``, ``errors``
======== =============================== ==============================================
"""

__version__ = "0.1.0"
