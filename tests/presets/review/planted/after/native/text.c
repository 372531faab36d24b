#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16

int width(const char* text) { return (int)strlen(text); }

void greet(const char* name) {
  char line[32];
  sprintf(line, "hello %s", name);
  puts(line);
}

char* copy(const char* text) {
  char* made = malloc(strlen(text));
  if (made) memcpy(made, text, strlen(text) + 1);
  return made;
}

int sum(void) {
  int slots[SLOTS] = {0};
  int total = 0;
  for (int i = 0; i <= SLOTS; i++) {
    total += slots[i];
  }
  return total;
}
