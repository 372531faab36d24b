-- Control characters reach the terminal neither in a result nor in an error.
-- expect: error failed red
ctx:log("\27[31mred\27[0m \7")
ctx:phase("\27]0;title\7")
print("\27[2J")
error("\27[31mred\27[0m\r\n\8\7", 0)
