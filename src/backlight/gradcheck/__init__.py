"""Compare the gradients of every op, layer and model with PyTorch's and with central differences.

    op_cases, layer_cases, model_cases    the inputs, one case per line, for the oracle tests and for the command
                                          `backlight gradcheck`; inputs.py draws them
    suite                                 the comparison; `backlight.pytorch` is used only if PyTorch is installed
    row                                   the result: the largest error of each op, layer or parameter, and its bound

Nothing is imported here, so that the help of the commands does not build 500 cases.
"""
