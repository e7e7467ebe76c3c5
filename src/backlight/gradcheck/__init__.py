"""Every gradient of every op, layer and model compared with PyTorch's and with central differences.

    op_cases, layer_cases, model_cases    the inputs: a case is a line, shared by the oracle tests and by the command
                                          `backlight gradcheck`
    suite                                 the comparison; `backlight.pytorch` is only used where PyTorch is installed
    row                                   the result: the worst case of each, and its bound

Nothing is imported here: the commands' help need not wait for 500 cases.
"""
