// Appending whole lines to a file that several processes write. A part of a line that a full disk
// or a kill left at its end stays on a line of its own. Plain functions, any thread.
#pragma once

#include <string_view>

namespace moonlet {

/// True when the file does not end with a newline. `fd` must be open for reading.
bool ends_within_line(int fd);

/// Appends `lines`, each with its newline, to a regular file that is open for reading and
/// appending. 0, or an errno; then none of them is there, or only a part that no reader takes for a
/// line.
int append_lines(int fd, std::string_view lines);

}  // namespace moonlet
