"""Every op, layer and model held against PyTorch and against central differences.

    op_cases, layer_cases, model_cases    on which inputs: a case is a line, here once for the oracle tests and for the
                                          command `backlight gradcheck`
    proving                               the gradients of each case beside PyTorch's (`backlight.pytorch` has them, and
                                          is only asked where PyTorch is installed) and beside central differences
    row                                   what comes out: the worst of each, and its bound

Nothing is imported here: the commands' help need not wait for 500 cases.
"""
