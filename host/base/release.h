// Frees the buffer of a string. Assigning {} or an empty string would keep it allocated.
#pragma once

#include <string>

namespace moonlet {

inline void release(std::string& text) { std::string().swap(text); }

}  // namespace moonlet
