// A template for the plan of a task, and a check for missing sections. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

/// A plan template in Markdown.
std::string_view plan_template();
/// The sections of a good plan that are missing both in the plan and in the description.
std::vector<std::string> missing_sections(std::string_view plan, std::string_view description);

}  // namespace moonlet::executor
