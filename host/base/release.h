// Frees the memory of a text now. Assigning {} or an empty text keeps the buffer.
#pragma once

#include <string>

namespace moonlet {

inline void release(std::string& text) { std::string().swap(text); }

}  // namespace moonlet
