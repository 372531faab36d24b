-- coroutine.yield outside a script's own coroutine is an error.
-- expect: error invalid coroutine.yield
ctx:spawn("side", function() coroutine.yield() end):join()
