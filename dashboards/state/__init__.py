"""What pages know: parameterised classes and plain values, without a widget. Tested without a browser."""
