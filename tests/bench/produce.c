// Writes BYTES of lines, like those of an agent's log, to standard output as fast as the reader
// takes them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  long long left = atoll(argv[1]);
  long length = argc > 2 ? atol(argv[2]) : 100;
  static char block[131072];
  for (size_t i = 0; i < sizeof block; ++i) {
    block[i] = (long)(i % (size_t)length) == length - 1 ? '\n' : (char)('a' + i % 26);
  }
  while (left > 0) {
    size_t want = left < (long long)sizeof block ? (size_t)left : sizeof block;
    ssize_t n = write(1, block, want);
    if (n < 0) return 1;
    left -= n;
  }
  return 0;
}
