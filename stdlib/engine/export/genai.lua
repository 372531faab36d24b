--- Lists the names from OpenTelemetry's conventions for generative AI that the export uses.
return {
  scope = "moonlet.genai",
  version = "0.1.0",
  operation = { name = "gen_ai.operation.name", run = "invoke_workflow", agent = "invoke_agent",
    tool = "execute_tool" },
  --- Maps runners to their providers; any other runner keeps its own name.
  provider = { name = "gen_ai.provider.name", codex = "openai", claude = "anthropic",
    gemini = "gcp.gemini" },
  agent_name = "gen_ai.agent.name",
  request_model = "gen_ai.request.model",
  response_model = "gen_ai.response.model",
  tool_name = "gen_ai.tool.name",
  error_type = "error.type",
  --- Maps a field of moonlet's usage to the name of the OpenTelemetry attribute.
  usage = {
    input_tokens = "gen_ai.usage.input_tokens",
    output_tokens = "gen_ai.usage.output_tokens",
    cached_input_tokens = "gen_ai.usage.cache_read.input_tokens",
    reasoning_output_tokens = "gen_ai.usage.reasoning.output_tokens",
  },
  --- The values of these two attributes are the prompt and the answer, each as a JSON list. They
  --- are exported only with --content.
  input_messages = "gen_ai.input.messages",
  output_messages = "gen_ai.output.messages",
}
