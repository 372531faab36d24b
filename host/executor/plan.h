// Provides a template for a task's plan, and a check for missing sections. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moonlet::executor {

std::string_view plan_template();
/// Returns the sections that both the plan and the description lack.
std::vector<std::string> missing_sections(std::string_view plan, std::string_view description);

}  // namespace moonlet::executor
