"""Built-in rewards that need no model: measures of a completion's form, and rules that mark its steps."""
