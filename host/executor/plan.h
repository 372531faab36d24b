// The plan that a task comes with: its template, and the sections that it lacks. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

/// A plan to fill in, Markdown.
std::string_view plan_template();
/// The names of the sections of a good plan that neither the plan nor the description has.
std::vector<std::string> missing_sections(std::string_view plan, std::string_view description);

}  // namespace moonlet::executor
