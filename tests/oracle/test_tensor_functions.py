"""Methods and functions of tensors beside PyTorch's, in float64: the same numbers, text and gradients.

Every expression is evaluated with both libraries, on the same numbers. Where the result has a gradient, it is compared
for a Gaussian output gradient.
"""

from typing import Any

import numpy as np
import pytest
import torch

import backlight.torchlike as ours

METHODS = """
a.add(b)|a.add(b,alpha=2)|a.sub(b,alpha=.5)|a.mul(2)|a.div(b)|a.pow(2)|a.pow(b)|a.neg()|p.rsqrt()|p.reciprocal()
p.log2()|p.log1p()|a.square()|a.erf()|a.round()|a.floor()|a.ceil()|a.trunc()|a.sign()|(a*100).round(decimals=1)
a.clamp(-.5,.5)|a.clamp(min=0)|a.clamp(max=b)|a.clip(0,1)|a.maximum(b)|a.minimum(b)|torch.maximum(a,a)|a.lerp(b,.3)
a.eq(b)|a.ne(a)|a.lt(b)|a.le(0)|a.gt(0)|a.ge(b)|a.isnan()|(a/0).isinf()|(a/0).isfinite()|torch.isnan(a)|(a>0)&(b>0)
(a>0)|~(a>0)|i^1|(a>0).logical_not()|torch.logical_and(a>0,b>0)|a%0.3|i%2|i//2|a.detach()//0.25
torch.div(a,b,rounding_mode='floor')|a.logsumexp(1)|a.logsumexp((0,1))|a.logsumexp(0,keepdim=True)|a.norm()|a.norm(1)
a.norm(float('inf'),dim=1)|a.norm(dim=0)|a.norm(3,dim=1,keepdim=True)|z.norm()|z.norm(dim=1)|a.amax(1)|a.amin((0,1))
a.prod()|a.prod(1)|z.prod(0)|a.count_nonzero()|a.std(1,unbiased=False)|a.var(0,correction=0)|a.std()|torch.std(a,1)
torch.var(a,dim=0,keepdim=True)|torch.mean(a,0)|a.gather(1,g)|torch.gather(a,0,g)|a.gather(1,g[:2])|a.scatter(1,g,b)
a.scatter(1,h,9.)|a.scatter_add(1,g,b)|torch.scatter(a,0,h,b[:2,:3])|a.take_along_dim(g,1)|a.index_select(1,i)
a.index_select(0,i)|a.take(g)|a.repeat_interleave(2,1)|a.repeat_interleave(3)|a.masked_select(m)
torch.masked_select(a,m[0])|a.where(m,b)|m.nonzero()|torch.nonzero(a>0)|torch.where(a>0)[1]|torch.where(a>0,a,0.)
a.sort().values|a.sort(0,descending=True).values|a.argsort(1)|a.sort(1).indices|a.topk(2).values
i.sort(descending=True,stable=True).indices|(i%2).argsort(descending=True,stable=True)
a.topk(2,dim=0,largest=False).values|torch.topk(a,3)[1]|a.median()|a.median(1).values|a.median(0,True)[1]|i.unique()
i.unique(return_counts=True)[1]|torch.unique(i,return_inverse=True)[1]|i.bincount()|i.bincount(minlength=9)
a.diagonal()|a.diag()|a[0].diag()|a[0].diag(1)|a.diag(-1)|a.trace()|t.diagonal(1,1,2)|torch.diag(torch.ones(3))
a.chunk(2,1)[1]|a.chunk(3)[0]|a.split([1,3],1)[1]|a.split(3,1)[1]|a.narrow(1,1,2)|a.select(1,2)|a.unbind(1)[3]
a.view_as(b)|a[:1].expand_as(b)|a.reshape_as(b.T)|a[0].broadcast_to(2,4)|a.ravel()|a.swapaxes(0,1)|t.movedim(0,2)
a.repeat(2,1)|a.repeat(2,1,3)|a[0].repeat(2,2)|a.tile(2)|a.tile((2,2))|a.flip(0)|a.flip(0,1)|a.flip([1])|a.roll(1)
a.roll(1,0)|a.roll((1,2),(0,1))|torch.roll(a,-1,1)|a.mm(b.T)|t.bmm(u)|torch.bmm(t,u)|a.mv(b[0])|a[0].dot(b[0])
torch.dot(a[0],b[0])|torch.outer(a[0],b[1])|torch.mm(a,b.T)|torch.matmul(t,u)|torch.addmm(c,a,b.T)|a.sum((0,1))
torch.einsum('ij,kj->ik',a,b)|torch.einsum('ij->',a)|torch.einsum('bij,bjk->bik',t,u)|torch.einsum('ij,ij->i',a,b)
torch.einsum('i,j->ij',a[0],b[0])|torch.einsum('...ij,...jk->...ik',t,u)|torch.einsum('ij,jk',a,b.T)
torch.einsum('ij->ji',a)|torch.einsum('bij,kj->bik',t,b)|torch.tensordot(a,b.T,1)|torch.tensordot(t,u,([2],[1]))
torch.hstack([a,b])|torch.vstack([a,b])|torch.vstack([a[0],b[0]])|torch.hstack([a[0],b[0]])|torch.cat([a,b],1)
torch.stack([a,b],2)|torch.meshgrid(a[0],b[0],indexing='ij')[1]|torch.meshgrid(a[0],b[1],indexing='xy')[0]
torch.cartesian_prod(a[0],b[0])|torch.tril_indices(3,4)|torch.triu_indices(3,3,1)|torch.logspace(-3,0,5)
torch.logspace(0,3,4,base=2)|torch.cumsum(a,1)|torch.isclose(a,a+1e-9)|torch.argwhere(m)|a.nan_to_num()|torch.trunc(a)
F.silu(a,inplace=False)|a.contiguous()|a.T.contiguous()|a.type(torch.float32)|a.to(torch.float32)
a.to(dtype=torch.float32,device='cpu')|a.float()|a.to(i)|a.to('cpu',torch.float32)|a.to(torch.device('cpu'))
i.double()|a.long()|a.int()|a.bool()|i.short()|a.new_zeros(2,3)|a.new_ones((2,))|a.new_full((2,2),3)
a.new_tensor([1,2])|torch.FloatTensor([1,2])|torch.LongTensor([1,2])|torch.IntTensor([3])|torch.clamp(a,min=-.1)
torch.pow(2.0,a)|torch.add(a,1)|a.cumsum(0)|torch.std_mean(a)[1]|a.T.reshape(2,6)|F.gelu(a)
F.gelu(a,approximate='tanh')|F.silu(a)|F.relu(a)|F.leaky_relu(a)|F.leaky_relu(a,.2)|F.elu(a)|F.elu(a,.5)|F.softplus(a)
F.logsigmoid(a)|F.softmax(a,dim=1)|F.log_softmax(a,-1)|F.softmax(a,0,dtype=torch.float32)|F.sigmoid(a)|F.tanh(a)
F.layer_norm(a,(4,))|F.layer_norm(a,(4,),b[0],b[1])|F.layer_norm(t,(3,4))|F.rms_norm(a,(4,))|F.rms_norm(a,(4,),b[0])
F.batch_norm(a,None,None,training=True)|F.batch_norm(a,b[0].detach(),b[1].detach()**2,a[0],b[2])
F.batch_norm(t,None,None,b[:,0],b[:,1],True)|F.normalize(a)|F.normalize(a,dim=0)|F.normalize(a,1,dim=-1)
F.pad(a,(1,2))|F.pad(a,(1,0,2,1),value=3.)|F.pad(a,(-1,1))|F.one_hot(i)|F.one_hot(i,7)|F.linear(a,b)
F.linear(a,b,c[0])|F.embedding(i,a)|F.embedding(i,a,padding_idx=1)|F.mse_loss(a,b)|F.mse_loss(a,b,reduction='sum')
F.mse_loss(a,b,reduction='none')|F.l1_loss(a,b)|F.smooth_l1_loss(a,b)|F.binary_cross_entropy(a.sigmoid(),q)
F.binary_cross_entropy_with_logits(a,q)|F.kl_div(F.log_softmax(a,1),q,reduction='batchmean')
F.binary_cross_entropy_with_logits(a,q,pos_weight=p[0].detach(),reduction='sum')|F.cross_entropy(a,y)
F.cross_entropy(a,y,reduction='sum')|F.cross_entropy(a,y,weight=p[0].detach())|F.cross_entropy(a,y,label_smoothing=.1)
F.cross_entropy(a,y,reduction='none')|F.cross_entropy(a,y,weight=p[0].detach(),label_smoothing=.2)
F.cross_entropy(a,F.softmax(b,1))|F.cross_entropy(a,y,ignore_index=1)
F.cross_entropy(a,y,ignore_index=1,label_smoothing=.3)
F.cross_entropy(a,F.softmax(b,1),label_smoothing=.1,weight=p[0].detach())|F.cross_entropy(t,yy)
F.cross_entropy(t,yy,reduction='sum',label_smoothing=.1)|F.nll_loss(F.log_softmax(a,1),y)|F.cross_entropy(a[0],y[0])
F.nll_loss(F.log_softmax(a,1),y,weight=p[0].detach())|F.cosine_similarity(a,b)|F.conv1d(t,w)
F.conv1d(t,w,c[0][:2],stride=2,padding=2)|F.conv1d(t,w,padding='same',dilation=1)
F.conv1d(t[0],w,dilation=2,padding=2)|F.scaled_dot_product_attention(t,t,t,is_causal=True)
F.scaled_dot_product_attention(t,t,t)|F.scaled_dot_product_attention(t,t,t,attn_mask=n)
F.scaled_dot_product_attention(t,t,t,attn_mask=n.double())|F.scaled_dot_product_attention(v,v,v,is_causal=True)
F.scaled_dot_product_attention(t,t,t,scale=.1)|a.is_floating_point()|a.stride()|a.T.stride()|a.T.is_contiguous()
a.element_size()|a.type()|i.type()|a.device|a.shape.numel()|a.dim()|a.nbytes|a.is_leaf|a.numel()
torch.is_grad_enabled()|torch.pi|torch.numel(a)|a.T.clone().stride()|a.sort(1)|a.topk(2)|a.median(1)
a.storage_offset()|a[1].storage_offset()|torch.equal(a,a)|torch.allclose(a,b)|a.tolist()
"""
EXPRESSIONS = [one for line in METHODS.strip().splitlines() for one in line.split("|") if one]
SHAPES = {"a": (3, 4), "b": (3, 4), "t": (2, 3, 4), "u": (2, 4, 5), "c": (3, 3), "v": (2, 2, 3, 4), "w": (2, 3, 3)}


def names(t: Any) -> dict[str, Any]:
    rng = np.random.default_rng(4)
    arrays = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    arrays["p"] = rng.uniform(0.5, 2, (3, 4))
    arrays["z"] = np.where(rng.random((3, 4)) < 0.5, 0.0, rng.standard_normal((3, 4)))
    arrays["z"][1] = 0
    made = {name: t.tensor(array, requires_grad=True) for name, array in arrays.items()}
    fixed = {
        "i": [0, 2, 2, 1], "y": [2, 1, 0], "yy": [[0, 2, 1, 1], [2, 2, 0, 1]],
        "g": [[0, 2, 2, 1], [1, 1, 1, 0], [2, 0, 0, 0]],
        "h": [[0, 2, 1], [1, 0, 2]], "m": arrays["a"] > 0.2, "n": rng.random((3, 3)) < 0.7,
        "q": rng.uniform(0, 1, (3, 4)),
    }  # fmt: skip
    fixed["n"][np.arange(3), np.arange(3)] = True
    made |= {name: t.tensor(array) for name, array in fixed.items()}
    return made


def test_there_are_as_many_cases_as_it_seems() -> None:
    assert len(EXPRESSIONS) > 280


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_in_pytorch(expression: str) -> None:
    seen = []
    for t in (ours, torch):
        given = names(t)
        result = eval(expression, {"torch": t, "F": t.nn.functional}, given)  # noqa: S307
        gradients = {}
        if isinstance(result, (torch.Tensor, ours.Tensor)) and result.requires_grad and not result.is_leaf:
            above = np.random.default_rng(5).standard_normal(tuple(result.shape))
            result.backward(t.tensor(above, dtype=result.dtype))
            gradients = {name: x.grad.numpy() for name, x in given.items() if x.grad is not None}
        seen.append((result, gradients))
    (mine, my_gradients), (theirs, their_gradients) = seen
    if not isinstance(theirs, torch.Tensor):
        assert repr(mine).replace("grad_fn", "") == repr(theirs).replace("grad_fn", "")
        return
    assert mine.shape == tuple(theirs.shape)
    assert repr(mine.dtype) == repr(theirs.dtype)
    single = theirs.dtype == torch.float32
    tight = {"rtol": 1e-6, "atol": 1e-7} if single else {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), **tight)
    assert mine.requires_grad == theirs.requires_grad
    for name in my_gradients.keys() | their_gradients.keys():
        shape = SHAPES.get(name, (3, 4))
        one, other = (found.get(name, np.zeros(shape)) for found in (my_gradients, their_gradients))
        np.testing.assert_allclose(one, other, **tight, err_msg=name)
