"""moonlet from Python, by ctypes and the standard library alone.

    python3 moonlet.py [REPOSITORY]

Loads libmoonlet.so.1 (MOONLET_LIBRARY names another file), runs a preset, gives it a function and
follows its events. moonlet itself must be installed: it is the keeper of the runs.
"""
import ctypes
import json
import os
import sys

try:
    LIBRARY = ctypes.CDLL(os.environ.get("MOONLET_LIBRARY", "libmoonlet.so.1"))
except OSError as missing:
    sys.exit(f"{missing}\n  install moonlet, or name the library's file in MOONLET_LIBRARY")
CALLBACK_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)


class Event(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("type", ctypes.c_char_p), ("run", ctypes.c_char_p),
                ("step", ctypes.c_char_p), ("number", ctypes.c_uint64), ("wall_ms", ctypes.c_int64),
                ("json", ctypes.c_char_p)]


CALLBACK_EVENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(Event))


class Options(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("directory", ctypes.c_char_p),
                ("environment", ctypes.c_void_p), ("config", ctypes.c_char_p), ("program", ctypes.c_char_p),
                ("lua_memory_bytes", ctypes.c_uint64), ("lua_run_ms", ctypes.c_int64), ("log", ctypes.c_void_p),
                ("log_data", ctypes.c_void_p), ("log_destroy", ctypes.c_void_p)]


class Function(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("summary", ctypes.c_char_p), ("schema", ctypes.c_char_p), ("result_schema", ctypes.c_char_p),
                ("timeout_ms", ctypes.c_int64), ("call", CALLBACK_FUNCTION), ("data", ctypes.c_void_p),
                ("destroy", ctypes.c_void_p)]


class File(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("text", ctypes.c_char_p)]


for name in ("error_kind", "error_message", "error_hint", "call_arguments", "run_verdict", "run_steps"):
    getattr(LIBRARY, "moonlet_" + name).restype = ctypes.c_char_p
    getattr(LIBRARY, "moonlet_" + name).argtypes = [ctypes.c_void_p]
for name in ("engine_open", "engine_provide", "engine_add_preset", "engine_on_event", "engine_start", "run_wait",
             "run_result"):
    getattr(LIBRARY, "moonlet_" + name).restype = ctypes.c_void_p
LIBRARY.moonlet_engine_add_preset.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(File), ctypes.c_size_t]
LIBRARY.moonlet_run_wait.argtypes = [ctypes.c_void_p, ctypes.c_int64]
LIBRARY.moonlet_error_free.argtypes = [ctypes.c_void_p]
LIBRARY.moonlet_engine_free.argtypes = [ctypes.c_void_p]
LIBRARY.moonlet_run_free.argtypes = [ctypes.c_void_p]
LIBRARY.moonlet_call_result.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
LIBRARY.moonlet_call_error.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p]


class MoonletError(Exception):
    """An error of moonlet, with its kind and hint."""


def check(error):
    """Raises the error that a function returned, and frees it."""
    if not error:
        return
    message = LIBRARY.moonlet_error_message(error).decode()
    hint = LIBRARY.moonlet_error_hint(error).decode()
    LIBRARY.moonlet_error_free(error)
    raise MoonletError(message + (" (" + hint + ")" if hint else ""))


class Engine:
    """An engine of one thread. Keeps its callbacks alive as long as it lives."""

    def __init__(self, directory="."):
        options = Options()
        LIBRARY.moonlet_options_init(ctypes.byref(options))
        options.directory = os.fsencode(directory)
        self._engine = ctypes.c_void_p()
        self._kept = []
        check(LIBRARY.moonlet_engine_open(ctypes.byref(options), ctypes.byref(self._engine)))

    def close(self):
        LIBRARY.moonlet_engine_free(self._engine)
        self._engine = None

    def provide(self, name, function, schema=None):
        """Presets call function(**arguments) as ctx.host.NAME; it returns a JSON value or raises."""
        def call(_, handle):
            try:
                result = function(**json.loads(LIBRARY.moonlet_call_arguments(handle)))
                LIBRARY.moonlet_call_result(handle, json.dumps(result).encode())
            except Exception as error:  # pylint: disable=broad-except
                LIBRARY.moonlet_call_error(handle, b"failed", str(error).encode(), None)

        made = Function()
        LIBRARY.moonlet_function_init(ctypes.byref(made))
        made.name, made.call = name.encode(), CALLBACK_FUNCTION(call)
        made.schema = json.dumps(schema).encode() if schema else None
        self._kept.append(made)
        check(LIBRARY.moonlet_engine_provide(self._engine, ctypes.byref(made)))

    def on_event(self, function):
        """Calls function(event) with each event, a dict as in events.jsonl."""
        callback = CALLBACK_EVENT(lambda _, event: function(json.loads(event.contents.json)))
        self._kept.append(callback)
        check(LIBRARY.moonlet_engine_on_event(self._engine, callback, None, None))

    def add_preset(self, name, text):
        check(LIBRARY.moonlet_engine_add_preset(self._engine, name.encode(), File(b"init.lua", text.encode()), 1))

    def run(self, preset, arguments=None, options=None):
        """Runs a preset to its end and returns the envelope."""
        run, text = ctypes.c_void_p(), ctypes.c_char_p()
        check(LIBRARY.moonlet_engine_start(self._engine, preset.encode(), json.dumps(arguments or {}).encode(),
                                           json.dumps(options or {}).encode(), ctypes.byref(run)))
        try:
            check(LIBRARY.moonlet_run_wait(run, -1))
            check(LIBRARY.moonlet_run_result(run, ctypes.byref(text), None))
            return json.loads(text.value)
        finally:
            LIBRARY.moonlet_run_free(run)


PRESET = """
local m = require "moonlet"
return m.preset {
  name = "sum", summary = "Lets the program add.", needs = { host = { "add" } },
  args = { numbers = m.arg.list { required = true } },
  run = function(ctx, args) return ctx.host.add { numbers = args.numbers } end,
}
"""


def main():
    engine = Engine(sys.argv[1] if len(sys.argv) > 1 else ".")
    engine.on_event(lambda event: print(event["type"], event.get("step", ""), file=sys.stderr))
    engine.provide("add", lambda numbers: sum(int(number) for number in numbers))
    engine.add_preset("sum", PRESET)
    envelope = engine.run("sum", {"numbers": ["40", "2"]}, {"allow": "needs"})
    print(json.dumps(envelope["result"]))
    engine.close()
    return 0 if envelope["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
