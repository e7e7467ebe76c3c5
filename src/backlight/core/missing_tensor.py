"""The methods of PyTorch's tensors that do not exist here: what each is for, and what to use instead.

All public names of PyTorch 2.13 are listed, so that none is answered by a bare AttributeError.
"""

from typing import Final

_DECOMPOSITIONS = "it is linear algebra, which is not planned. Use numpy.linalg on x.detach().numpy()."
_SPECIAL = "a special function, which is not planned. Use scipy.special on x.detach().numpy()."
_SPARSE = "it is for sparse or quantized tensors, which are not planned. Use PyTorch."
_DEVICES = "it is for devices other than the CPU, and there are none. Leave it out."
_HALF = "16-bit numbers are for GPUs. Use torch.float32."
_COMPLEX = "complex numbers are not planned. Keep real and imaginary parts in two tensors."
_ANGLES = "it is not planned, and has no gradient here. Use NumPy's function on x.detach().numpy()."
_BITS = "use the operators &, |, ^ and ~ on booleans or integers."
_INTERNAL = "it is a part of PyTorch's inside, or an old name. Leave it out."
_COMPARED = "a comparison in place; write x = x > y and the like."

_FAMILIES: Final[dict[str, str]] = {
    "cholesky cholesky_inverse cholesky_solve corrcoef cov cross det eig geqrf ger inverse kron logdet lstsq lu "
    "lu_solve "
    "matrix_exp matrix_power orgqr ormqr pinverse qr slogdet solve svd symeig triangular_solve vdot addr "
    "addr_": _DECOMPOSITIONS,
    "digamma digamma_ erf_ erfc erfc_ erfinv erfinv_ i0 i0_ igamma igamma_ igammac igammac_ lgamma lgamma_ mvlgamma "
    "mvlgamma_ polygamma polygamma_ sinc sinc_ xlogy xlogy_": _SPECIAL,
    "ccol_indices coalesce col_indices crow_indices dense_dim dequantize indices int_repr is_coalesced is_sparse_csr "
    "q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme resize_as_sparse_ "
    "row_indices smm sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_ sspaddmm to_dense to_mkldnn "
    "to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr values": _SPARSE,
    "get_device ipu is_cpu is_ipu is_maia is_meta is_mps is_mtia is_pinned is_vulkan is_xla is_xpu mtia "
    "record_stream xpu "
    "share_memory_ is_shared": _DEVICES,
    "bfloat16 chalf half": _HALF,
    "H adjoint angle cdouble cfloat conj conj_physical conj_physical_ imag is_conj isreal mH real resolve_conj "
    "sgn sgn_ "
    "istft stft": _COMPLEX,
    "acos acos_ acosh acosh_ arccos arccos_ arccosh arccosh_ arcsin arcsin_ arcsinh arcsinh_ arctan arctan2 arctan2_ "
    "arctan_ arctanh arctanh_ asin asin_ asinh asinh_ atan atan2 atan2_ atan_ atanh atanh_ copysign copysign_ "
    "cosh cosh_ "
    "deg2rad deg2rad_ frexp gcd gcd_ heaviside heaviside_ hypot hypot_ lcm lcm_ ldexp ldexp_ nextafter nextafter_ "
    "rad2deg rad2deg_ signbit sinh sinh_ tan_": _ANGLES,
    "bitwise_and bitwise_and_ bitwise_left_shift bitwise_left_shift_ bitwise_not bitwise_not_ bitwise_or bitwise_or_ "
    "bitwise_right_shift bitwise_right_shift_ bitwise_xor bitwise_xor_": _BITS,
    "eq_ ge_ greater_ greater_equal_ gt_ le_ less_ less_equal_ lt_ ne_ not_equal_ logical_and_ "
    "logical_not_ logical_or_ "
    "logical_xor_": _COMPARED,
    "as_subclass const_data_ptr dim_order grad_dtype hash_tensor is_distributed is_inference is_mkldnn "
    "is_neg is_nested "
    "is_same_size is_set_to layout map2_ map_ module_load name new new_empty_strided output_nr reinforce "
    "resolve_neg set_ "
    "slice_inverse storage_type untyped_storage unsafe_chunk unsafe_split unsafe_split_with_sizes volatile "
    "register_post_accumulate_grad_hook resize resize_ resize_as resize_as_ as_strided as_strided_": _INTERNAL,
}

TENSOR: Final[dict[str, str]] = {
    **{name: sentence for names, sentence in _FAMILIES.items() for name in names.split()},
    "absolute_": "use x.abs_().",
    "addbmm": "use x + (a @ b).sum(0).",
    "addcdiv": "use x + value * (a / b).",
    "addcdiv_": "use x += value * (a / b).",
    "addcmul": "use x + value * a * b.",
    "addcmul_": "use x += value * a * b.",
    "addmm": "use x + a @ b, or torch.addmm(x, a, b).",
    "addmm_": "use x += a @ b.",
    "addmv": "use x + a @ v.",
    "allclose": "use torch.allclose(x, y).",
    "aminmax": "use x.amin() and x.amax().",
    "apply_": "it calls a function of each element. Use a loop, or NumPy.",
    "baddbmm": "use x + a @ b.",
    "baddbmm_": "use x += a @ b.",
    "char": "use x.to(torch.int8).",
    "clamp_max_": "use x.clamp_(max=m).",
    "cummax": "it is not planned. Use numpy.maximum.accumulate on x.detach().numpy().",
    "cummin": "it is not planned. Use numpy.minimum.accumulate on x.detach().numpy().",
    "cumprod": "it is not planned. Use x.log().cumsum(dim).exp() for positive numbers.",
    "cumsum_": "use x.copy_(x.cumsum(dim)).",
    "diag_embed": "it makes matrices of diagonals. Use torch.eye(n) * x.unsqueeze(-1).",
    "diff": "use x[1:] - x[:-1].",
    "dist": "use (x - y).norm().",
    "expm1": "it is not planned. Use x.exp() - 1.",
    "exponential_": "it draws exponential numbers. Use x.copy_(-torch.log(1 - torch.rand_like(x))).",
    "fliplr": "use x.flip(1).",
    "flipud": "use x.flip(0).",
    "float_power": "use x.double() ** y.",
    "fmod": "it is not planned. Use x - y * (x / y).trunc().",
    "frac": "use x - x.trunc().",
    "histc": "use torch.histogram(x, bins).",
    "histogram": "use torch.histogram(x, bins).",
    "index_add": "use x.clone().index_add_(dim, index, y).",
    "index_copy_": "use x[index] = y.",
    "index_fill": "use x.clone().index_fill_(dim, index, value).",
    "index_put": "use y = x.clone(), then y[index] = values.",
    "index_put_": "use x[index] = values.",
    "isclose": "use torch.isclose(x, y).",
    "kthvalue": "use x.sort(dim).values and an index.",
    "logaddexp": "use torch.stack([x, y]).logsumexp(0).",
    "logcumsumexp": "it is not planned. Use x.exp().cumsum(dim).log().",
    "logit": "use (x / (1 - x)).log().",
    "masked_scatter": "use y = x.clone(), then y[mask] = values.",
    "masked_scatter_": "use x[mask] = values.",
    "mode": "it is not planned. Use x.unique(return_counts=True).",
    "moveaxis": "use x.movedim(source, destination).",
    "nanmean": "use x[~x.isnan()].mean().",
    "nansum": "use x.nan_to_num().sum().",
    "ndimension": "use x.dim().",
    "prelu": "use torch.where(x > 0, x, weight * x).",
    "put_": "use x.view(-1)[index] = values.",
    "quantile": "it is not planned. Use numpy.quantile on x.detach().numpy().",
    "renorm": "it is not planned. Use x / x.norm(dim=1, keepdim=True).clamp(min=limit) * limit.",
    "rot90": "use x.transpose(0, 1).flip(0).",
    "scatter_reduce": "sums are x.scatter_add(dim, index, y); others are not planned.",
    "split_with_sizes": "use x.split([2, 3], dim).",
    "tensor_split": "use x.split(size, dim), or x.chunk(n, dim).",
    "transpose_": "use x = x.transpose(a, b).",
    "unfold": "it makes sliding windows. Use x[torch.arange(n - k + 1)[:, None] + torch.arange(k)].",
    "unique_consecutive": "it is not planned. Use x.unique(), or itertools.groupby on x.tolist().",
}
"""By name of a tensor's method or attribute."""

_PLAIN = "it is not planned. Use other methods of tensors, NumPy on x.detach().numpy(), or PyTorch."

TENSOR.update(dict.fromkeys((
    "addbmm_", "addmv_", "as_strided_scatter", "cauchy_", "cumprod_", "diagflat", "diagonal_scatter",
    "divide_", "dsplit",
    "exp2_", "expm1_", "fix", "fix_", "float_power_", "floor_divide_", "fmax", "fmin", "fmod_", "frac_", "geometric_",
    "hardshrink", "hsplit", "index", "index_copy", "index_reduce", "index_reduce_", "is_nonzero", "is_signed",
    "isneginf", "isposinf", "log10_", "log1p_", "log2_", "log_normal_", "logaddexp2", "logit_", "msort", "multiply_",
    "nan_to_num_", "nanmedian", "nanquantile", "narrow_copy", "negative_", "nonzero_static", "put", "renorm_",
    "retains_grad", "scatter_reduce_", "select_scatter", "slice_scatter", "subtract_", "sum_to_size", "swapaxes_",
    "swapdims_", "true_divide_", "vsplit",
), _PLAIN))  # fmt: skip
