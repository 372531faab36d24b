#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int width(const char* text) { return (int)strlen(text); }
