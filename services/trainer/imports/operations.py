"""What a model that people bring may compute: an allow-list, as what an operation may do is not told by its name.

TensorFlow calls some operations stateless that read files (`ReadFile`, `MatchingFiles`), map one into memory
(`ImmutableConst`) or call Python (`PyFuncStateless`): only what stands here is let in. Loops (`While` and its kin) are
left out on purpose: no network that maps a window needs one, and one that never ends would hold up the trainer for a
day, and the model server for good.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CALLS: Final = frozenset({"PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "StatelessCase"})
"""What runs functions of the model's own library; their bodies are looked at, too."""

ARITHMETIC: Final = _names(
    """
    Abs Acos Acosh AddN Add AddV2 Asin Asinh Atan Atan2 Atanh Ceil ClipByValue Cos Cosh Div DivNoNan Erf Erfc Erfinv
    Exp Expm1 Floor FloorDiv FloorMod Log Log1p Maximum Minimum Mul MulNoNan Neg Pow RealDiv Reciprocal Rint Round
    Rsqrt Sign Sin Sinh Sqrt Square SquaredDifference Sub Tan Xdivy Xlog1py Xlogy ApproximateEqual Equal Greater
    GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2
    """
)
"""Number by number."""

ACTIVATIONS: Final = _names("Elu LeakyRelu LogSoftmax Relu Relu6 Selu Sigmoid Softmax Softplus Softsign Tanh")
"""How layers bend what they computed."""

NETWORK: Final = _names(
    """
    AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddV1 Conv Conv2D Conv2DBackpropInput
    Conv2DBackpropInputV2 Conv3D Conv3DBackpropInputV2 DepthwiseConv2dNative Einsum FusedBatchNorm FusedBatchNormV2
    FusedBatchNormV3 MatMul MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax
    """
)
"""Convolutions, poolings, products and normalisations; a transposed convolution is the gradient of one (`...Input`)."""

RESAMPLING: Final = _names(
    "DepthToSpace ExtractImagePatches ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor SpaceToDepth"
)
"""Pixels to pixels of another size."""

REDUCTIONS: Final = _names(
    """
    All Any ArgMax ArgMin Cumprod Cumsum EuclideanNorm Max Mean Min Prod Sum TopK TopKV2 UnsortedSegmentSum
    """
)
"""Many numbers to few."""

SHAPES: Final = _names(
    """
    BatchToSpace BatchToSpaceND BroadcastArgs BroadcastTo Cast Concat ConcatOffset ConcatV2 Const EnsureShape
    ExpandDims Fill Gather GatherNd GatherV2 Identity IdentityN LinSpace MatrixBandPart MatrixDiagPartV3
    MatrixDiagV3 MirrorPad NoOp OneHot OnesLike Pack Pad PadV2 Placeholder PlaceholderWithDefault PreventGradient
    Range Rank Reshape Reverse ReverseV2 Roll ScatterNd Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND Split
    SplitV Squeeze StopGradient StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
    TensorScatterUpdate Tile Transpose Unpack Where ZerosLike
    """
)
"""Numbers put elsewhere, made into others of another type, or given."""

WEIGHTS: Final = frozenset({"ReadVariableOp"})
"""How a function reads weights."""

PREDICTING: Final = CALLS | ARITHMETIC | ACTIVATIONS | NETWORK | RESAMPLING | REDUCTIONS | SHAPES | WEIGHTS
"""What functions may do, whoever calls them."""

OUTERMOST: Final = _names(
    "AssignVariableOp Const Identity NoOp PartitionedCall Placeholder ReadVariableOp StatefulPartitionedCall "
    "VarHandleOp VarIsInitializedOp"
)
"""What the outermost graph may hold: the weights, what their first values are, and calls of functions."""

RESTORING: Final = _names("AssignVariableOp Const Identity IdentityN NoOp RestoreV2")
"""What the function that restores the weights may do; a model server runs it once."""

SAVING: Final = _names(
    """
    Const DisableCopyOnRead Identity IdentityN MergeV2Checkpoints NoOp Pack ReadVariableOp SaveV2 Select
    ShardedFilename StaticRegexFullMatch StringJoin
    """
)
"""What the function that saves the weights may do. Each SavedModel has one; nothing of ours ever runs it."""
