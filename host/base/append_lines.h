// Appends whole lines to a file that several processes write. Any thread.
// If the file ends with a partial line, because the disk was full or a writer was killed, the
// appended text starts on a new line.
#pragma once

#include <string_view>

namespace moonlet {

/// Returns true if the file does not end with a newline. `fd` must be open for reading.
bool ends_within_line(int fd);

/// Appends `lines`, each with its newline, to a file that is open for reading and appending.
/// Returns 0 or an errno. After an error, the file has no new complete line.
int append_lines(int fd, std::string_view lines);

}  // namespace moonlet
