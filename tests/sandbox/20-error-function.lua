-- Row 20: values that are no error are told by their type.
-- expect: error failed function
error(print)
