/* The C interface of moonlet. The ABI is stable: a new version only adds members at the end of a
 * struct and never changes a function. If a function is removed, libmoonlet's soname changes.
 * The returned JSON (envelopes, events, steps) is part of the ABI; `moonlet doc` has its schema.
 *
 * Errors: a function that returns moonlet_error* returns NULL on success. The caller frees an
 * error. If an argument is NULL but may not be, such a function fails with "invalid"; any other
 * function returns "", 0, NULL, or -1 for a descriptor. *engine and *run are NULL after an error.
 *
 * Ownership: functions copy the strings that they are given. A returned string belongs to the
 * object. It is valid until the object is freed or the same getter is called again. `destroy` is
 * called exactly once with `data`, when the callback is not needed any more, even if the
 * registration failed. `destroy` may be NULL.
 *
 * Threads: an engine belongs to the thread that opened it. Any thread may call moonlet_run_done,
 * moonlet_run_id, moonlet_run_cancel, and the functions of a moonlet_call. All other functions fail
 * on a thread other than the engine's. After fork(), the child may only call exec() or free its
 * copies, which does not affect the parent.
 *
 * No function throws a C++ exception, and no callback may throw one. */
#ifndef MOONLET_MOONLET_H
#define MOONLET_MOONLET_H

#include <stddef.h>
#include <stdint.h>

#include <moonlet/version.h>

#ifndef MOONLET_API
#define MOONLET_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct moonlet_engine moonlet_engine;
typedef struct moonlet_run moonlet_run;
typedef struct moonlet_call moonlet_call;
typedef struct moonlet_error moonlet_error;

typedef void (*moonlet_destroy_fn)(void* data);

/* Returns the version of the linked library, "0.1.0". MOONLET_VERSION is the headers' version. */
MOONLET_API const char* moonlet_version(void);

/* Lets this program serve as the keeper of its own runs. Call this first in main, before the
 * program starts a thread or opens a file. In a keeper process, returns the exit status, which
 * main must return. In any other process, returns -1. Without this call, `moonlet` must be
 * installed. */
MOONLET_API int moonlet_keeper(int argc, char** argv);

/* --- errors --- */

/* Returns the kind: "invalid", "denied", "limit", "timeout", "cancelled", "budget", "quota",
 * "quorum", "rejected", "parked", "lost" or "failed". */
MOONLET_API const char* moonlet_error_kind(const moonlet_error* error);
/* Returns the problem, on one line. */
MOONLET_API const char* moonlet_error_message(const moonlet_error* error);
/* Returns advice on how to solve the problem; may be "". */
MOONLET_API const char* moonlet_error_hint(const moonlet_error* error);
/* Returns where the problem is: a path, file:line or argument; may be "". */
MOONLET_API const char* moonlet_error_at(const moonlet_error* error);
MOONLET_API void moonlet_error_free(moonlet_error* error); /* NULL is allowed */
/* Prints the error on standard error and frees it. Returns 1, or 0 for NULL. */
MOONLET_API int moonlet_error_print(moonlet_error* error);

/* --- engine --- */

/* Receives the engine's own warnings, such as a callback that threw or an answer that came too
 * late. */
typedef void (*moonlet_log_fn)(void* data, const char* text);

#define MOONLET_OPTIONS_VERSION 1
#define MOONLET_NO_ENVIRONMENT 1u /* children get no variables; `environment` is ignored */
#define MOONLET_NO_CONFIG 2u      /* no config file is read; `config` is ignored */

typedef struct moonlet_options {
  uint32_t version;               /* MOONLET_OPTIONS_VERSION */
  uint32_t flags;                 /* MOONLET_NO_ENVIRONMENT, MOONLET_NO_CONFIG */
  const char* directory;          /* the repository or folder; NULL: the working directory */
  const char* const* environment; /* "NAME=value", …, NULL. NULL: the process's environment */
  const char* config;             /* the config file; NULL: the user's config file */
  const char* program;            /* the keeper's executable; NULL: the engine finds it */
  uint64_t lua_memory_bytes;      /* limits the Lua memory of a run */
  int64_t lua_run_ms;             /* limits how long Lua runs without an await; 0: no limit */
  moonlet_log_fn log;             /* may be NULL */
  void* log_data;
  moonlet_destroy_fn log_destroy;
} moonlet_options;

#define MOONLET_OPTIONS_INIT \
  { MOONLET_OPTIONS_VERSION, 0, NULL, NULL, NULL, NULL, 268435456u, 10000, NULL, NULL, NULL }

/* Fills in the defaults, as MOONLET_OPTIONS_INIT does. */
MOONLET_API void moonlet_options_init(moonlet_options* options);

/* Opens an engine into *engine. `options` may be NULL. */
MOONLET_API moonlet_error* moonlet_engine_open(const moonlet_options* options,
                                               moonlet_engine** engine);
/* Abandons running runs as if the process had been killed; moonlet_engine_resume continues them.
 * If a callback frees the engine, the engine ends after the callback returns. NULL is allowed. */
MOONLET_API void moonlet_engine_free(moonlet_engine* engine);

/* Returns a descriptor that is readable when moonlet_engine_turn has work. The engine owns it. */
MOONLET_API int moonlet_engine_descriptor(const moonlet_engine* engine);
/* Returns how many milliseconds the program may poll before it calls moonlet_engine_turn.
 * 0: do not wait. -1: no limit. */
MOONLET_API int moonlet_engine_timeout(const moonlet_engine* engine);
/* Does all work that is ready, without waiting. Sets *busy to 0 once all runs have ended, else
 * to 1. `busy` may be NULL. */
MOONLET_API moonlet_error* moonlet_engine_turn(moonlet_engine* engine, int* busy);

/* --- events --- */

typedef struct moonlet_event {
  uint32_t version; /* 1 */
  const char* type; /* "run.started", …; `moonlet doc` lists all types */
  const char* run;  /* "R-007"; "" until the run is recorded */
  const char* step; /* the key of the step; "" if the event concerns no step */
  uint64_t number;  /* counts from 1 in each run */
  int64_t wall_ms;  /* milliseconds since 1970 */
  const char* json; /* the whole event as in events.jsonl */
} moonlet_event;

/* The event and its strings are valid only during the callback. */
typedef void (*moonlet_event_fn)(void* data, const moonlet_event* event);

/* Calls `fn` for every event of all runs. Replaces the earlier `fn`; NULL unsubscribes. */
MOONLET_API moonlet_error* moonlet_engine_on_event(moonlet_engine* engine, moonlet_event_fn fn,
                                                   void* data, moonlet_destroy_fn destroy);

/* --- native functions --- */

/* Must answer `call`, now or later. `call` is valid only during the callback. To answer later,
 * keep a copy with moonlet_call_keep. moonlet_engine_turn and moonlet_run_wait fail in the
 * callback. */
typedef void (*moonlet_function_fn)(void* data, moonlet_call* call);

#define MOONLET_FUNCTION_VERSION 1
/* The function only reads. A resumed run repeats a call that has no recorded result. */
#define MOONLET_OBSERVES 1u
/* The function may block, so a thread pool calls it. Without this flag, the engine's thread
 * does. */
#define MOONLET_BLOCKS 2u

typedef struct moonlet_function {
  uint32_t version;          /* MOONLET_FUNCTION_VERSION */
  uint32_t flags;            /* MOONLET_OBSERVES, MOONLET_BLOCKS */
  const char* name;          /* NAME of ctx.host.NAME{…}; a-z, 0-9 and _ */
  const char* summary;       /* for people; may be NULL */
  const char* schema;        /* JSON Schema of the arguments; NULL: any object */
  const char* result_schema; /* JSON Schema of the result; NULL: any value */
  int64_t timeout_ms;        /* time until the call fails with "timeout"; 0: no limit */
  moonlet_function_fn call;
  void* data;
  moonlet_destroy_fn destroy;
} moonlet_function;

#define MOONLET_FUNCTION_INIT \
  { MOONLET_FUNCTION_VERSION, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL }

/* Fills in the defaults, as MOONLET_FUNCTION_INIT does. */
MOONLET_API void moonlet_function_init(moonlet_function* function);

/* Offers a function to the presets of all runs that start later. */
MOONLET_API moonlet_error* moonlet_engine_provide(moonlet_engine* engine,
                                                  const moonlet_function* function);

MOONLET_API const char* moonlet_call_function(const moonlet_call* call);
MOONLET_API const char* moonlet_call_arguments(const moonlet_call* call); /* a JSON object */
MOONLET_API const char* moonlet_call_run(const moonlet_call* call);       /* "R-007" */
MOONLET_API const char* moonlet_call_step(const moonlet_call* call);      /* the key of the step */
/* Returns 1 if no answer is needed any more, because the run was cancelled or the call timed
 * out. */
MOONLET_API int moonlet_call_cancelled(const moonlet_call* call);
/* Answers with a JSON value and returns 1. If the call has already ended, ignores the answer and
 * returns 0. */
MOONLET_API int moonlet_call_result(moonlet_call* call, const char* json);
/* Answers with an error, which the preset may catch. `kind` is one of the kinds that
 * moonlet_error_kind returns; NULL: "failed". `hint` may be NULL. Returns 1 or 0 like
 * moonlet_call_result. */
MOONLET_API int moonlet_call_error(moonlet_call* call, const char* kind, const char* message,
                                   const char* hint);
/* Returns a copy of the call that outlives the callback and may be used on any thread. Returns
 * NULL if there is no memory. The caller frees the copy. If all copies are freed without an
 * answer, the call fails. */
MOONLET_API moonlet_call* moonlet_call_keep(const moonlet_call* call);
MOONLET_API void moonlet_call_free(moonlet_call* call); /* only for kept copies; NULL is allowed */

/* --- presets from memory --- */

typedef struct moonlet_file {
  const char* name; /* "init.lua", or a module that it requires */
  const char* text;
} moonlet_file;

/* Adds a preset or script from memory. It takes priority over one on disk with the same name. */
MOONLET_API moonlet_error* moonlet_engine_add_preset(moonlet_engine* engine, const char* name,
                                                     const moonlet_file* files, size_t count);

/* --- runs --- */

/* Starts a preset, a Lua file or a packet. The run begins in the next turn.
 * `arguments` is a JSON object of arguments by name, or a JSON array of strings for a script.
 * `options` is a JSON object with the options of `moonlet run`:
 * "{\"runner\": \"codex\", \"allow\": [\"needs\"]}".
 * `arguments` and `options` may be NULL. The caller frees *run. */
MOONLET_API moonlet_error* moonlet_engine_start(moonlet_engine* engine, const char* target,
                                                const char* arguments, const char* options,
                                                moonlet_run** run);
/* Continues a run that was killed, is parked, or has failed steps. The caller frees *run. */
MOONLET_API moonlet_error* moonlet_engine_resume(moonlet_engine* engine, const char* id,
                                                 const char* options, moonlet_run** run);
/* Answers the gate or question of a parked run, and continues the run. The caller frees *run. */
MOONLET_API moonlet_error* moonlet_engine_answer(moonlet_engine* engine, const char* id,
                                                 const char* text, const char* options,
                                                 moonlet_run** run);

/* Frees the handle. The run continues. A handle may outlive its engine. NULL is allowed. */
MOONLET_API void moonlet_run_free(moonlet_run* run);
/* Copies the id ("R-007"; "" until the run is recorded) into `buffer` of `size` bytes. Truncates
 * and terminates it like snprintf. Returns the length of the whole id. */
MOONLET_API size_t moonlet_run_id(const moonlet_run* run, char* buffer, size_t size);
MOONLET_API int moonlet_run_done(const moonlet_run* run);
/* Cancels the run, even before it begins, and ends its children. Safe in a signal handler. */
MOONLET_API void moonlet_run_cancel(moonlet_run* run);
/* Drives the engine with all its runs until this run has ended. Fails with "timeout" after
 * `timeout_ms` (negative: no limit); the run then continues in later turns. */
MOONLET_API moonlet_error* moonlet_run_wait(moonlet_run* run, int64_t timeout_ms);
/* Returns the exit code and the envelope, which is the JSON that --json prints. Both pointers
 * may be NULL. Fails with "invalid" before the end of the run, and with "lost" if the engine was
 * freed before the end. */
MOONLET_API moonlet_error* moonlet_run_result(moonlet_run* run, const char** envelope,
                                              int* exit_code);
MOONLET_API const char* moonlet_run_verdict(moonlet_run* run); /* "ok", "failed", …; "" for none */
MOONLET_API const char* moonlet_run_steps(moonlet_run* run);   /* a JSON array */
/* Lists the files in the run's folder. Sets *list to a JSON array: [{"name", "bytes"}]. */
MOONLET_API moonlet_error* moonlet_run_artifacts(moonlet_run* run, const char** list);
/* Opens an artifact for reading. The caller closes *descriptor. */
MOONLET_API moonlet_error* moonlet_run_open_artifact(moonlet_run* run, const char* name,
                                                     int* descriptor);

#ifdef __cplusplus
}
#endif

#endif
