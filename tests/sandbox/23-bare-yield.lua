-- Row 23: a task cannot yield to anything.
-- expect: error invalid coroutine.yield
ctx:spawn("side", function() coroutine.yield() end):join()
