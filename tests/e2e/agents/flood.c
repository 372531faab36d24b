// Writes lines to descriptor argv[1] as fast as the reader takes them: argv[2] bytes, or without
// end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char** argv) {
  int fd = argc > 1 ? atoi(argv[1]) : 1;
  long long left = argc > 2 ? atoll(argv[2]) : -1;
  static char block[65536];
  for (size_t i = 0; i < sizeof block; ++i) block[i] = i % 64 == 63 ? '\n' : 'f';
  while (left != 0) {
    size_t want = sizeof block;
    if (left > 0 && (long long)want > left) want = (size_t)left;
    ssize_t n = write(fd, block, want);
    if (n < 0) return 1;
    if (left > 0) left -= n;
  }
  return 0;
}
