/* Runs a preset from C and prints its outcome as JSON. */
#include <moonlet/moonlet.h>
#include <stdio.h>

int main(int argc, char** argv) {
  const int keeper = moonlet_keeper(argc, argv);
  if (keeper >= 0) return keeper;
  moonlet_engine* engine;
  moonlet_run* run;
  const char* envelope;
  if (moonlet_error_print(moonlet_engine_open(NULL, &engine))) return 1;
  moonlet_error_print(moonlet_engine_start(engine, "precommit-classifier", NULL, NULL, &run));
  moonlet_error_print(moonlet_run_wait(run, -1));
  if (!moonlet_error_print(moonlet_run_result(run, &envelope, NULL))) puts(envelope);
  moonlet_run_free(run);
  moonlet_engine_free(engine);
}
