package io.github.urae.training.internal.torch;

import io.github.urae.flux.arithmetic.LatentGrid;
import io.github.urae.flux.arithmetic.LatentLayout;
import io.github.urae.flux.arithmetic.RotaryTables;
import io.github.urae.flux.arithmetic.TokenPositions;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.StepInputs;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * FLUX's transformer in operations that have gradients, cut into an embedding, blocks and a head.
 * Streams are [text, image] before and in double blocks, and one joint stream from the first single
 * block on; each is [pictures, tokens, width]. Results belong to the caller's scope.
 *
 * @see <a
 *     href="https://github.com/huggingface/diffusers/blob/main/src/diffusers/models/transformers/transformer_flux.py">
 *     diffusers: {@code FluxTransformer2DModel}</a>
 */
final class FluxTransformer {

  private static final double EPSILON = 1e-6;
  private static final double MAX_PERIOD = 10_000;

  /** How many times 1 a timestep and a guidance of 1 are for the sinusoidal embedding. */
  private static final float EMBEDDING_SCALE = 1000;

  private final TransformerConfig config;
  private final LatentLayout layout;
  private final EngineSettings settings;
  private final FrozenWeights weights;
  private final Map<String, AdaptedLayer> adapters;
  private final Device device;
  private final torch.ScalarType type;

  /**
   * What attention is computed in. On the CPU float32: in bfloat16 PyTorch's kernel needs MKL's
   * products, and takes twenty times as long with what this build has in their place.
   */
  private final torch.ScalarType attentionType;

  /**
   * Puts the network together.
   *
   * @param layout what a token of latents stands for
   * @param weights not closed
   * @param adapters by the name of their layer
   */
  FluxTransformer(
      TransformerConfig config,
      LatentLayout layout,
      EngineSettings settings,
      FrozenWeights weights,
      Map<String, AdaptedLayer> adapters,
      Device device) {
    this.config = config;
    this.layout = layout;
    this.settings = settings;
    this.weights = weights;
    this.adapters = Map.copyOf(adapters);
    this.device = device;
    this.type = TensorTransfer.scalarType(settings.weightType());
    this.attentionType = device.is_cpu() ? torch.ScalarType.Float : type;
  }

  /** Returns how many blocks there are. */
  int blocks() {
    return config.doubleBlocks() + config.singleBlocks();
  }

  /** Returns the name of a block, with which those of its layers begin. */
  String blockName(int index) {
    return index < config.doubleBlocks()
        ? TransformerShapes.doubleBlock(index)
        : TransformerShapes.singleBlock(index - config.doubleBlocks());
  }

  /** Brings what pictures of one size and length of text consist of to the device. */
  NetworkInputs inputs(List<StepInputs> pictures) {
    StepInputs first = pictures.get(0);
    return new NetworkInputs(
        together(pictures, StepInputs::latents),
        together(pictures, StepInputs::text),
        Scopes.one(() -> embedding(pictures)),
        rotary(Math.toIntExact(first.text().shape().dimension(0)), first.rows(), first.columns()));
  }

  private Tensor together(
      List<StepInputs> pictures, Function<StepInputs, io.github.urae.tensor.Tensor> part) {
    return TensorTransfer.stacked(pictures.stream().map(part).toList(), type, device);
  }

  private Tensor embedding(List<StepInputs> pictures) {
    Tensor sum =
        twoLayers(sinusoids(pictures, StepInputs::sigma), "time_text_embed.timestep_embedder");
    if (config.guidance()) {
      sum =
          sum.add(
              twoLayers(
                  sinusoids(pictures, StepInputs::guidance), "time_text_embed.guidance_embedder"));
    }
    Tensor pooled = together(pictures, StepInputs::pooled);
    return sum.add(twoLayers(pooled, "time_text_embed.text_embedder"));
  }

  /** Cosines, then sines, [pictures, 256], of falling frequencies. */
  private Tensor sinusoids(List<StepInputs> pictures, ToDoubleFunction<StepInputs> value) {
    int pairs = TransformerShapes.SINUSOID_CHANNELS / 2;
    float[] values = new float[pictures.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) value.applyAsDouble(pictures.get(i)) * EMBEDDING_SCALE;
    }
    Tensor frequencies =
        torch
            .arange(new Scalar(pairs), new TensorOptions(torch.ScalarType.Float))
            .mul(new Scalar(-Math.log(MAX_PERIOD) / pairs))
            .exp();
    Tensor angles = frequencies.mul(TensorTransfer.ofFloats(values, values.length, 1));
    return torch.cat(new TensorVector(angles.cos(), angles.sin()), -1).to(device, type);
  }

  private Tensor twoLayers(Tensor x, String module) {
    return linear(torch.silu(linear(x, module + ".linear_1")), module + ".linear_2");
  }

  private Tensor rotary(int textTokens, int rows, int columns) {
    LatentGrid grid =
        new LatentGrid(
            layout,
            Math.multiplyExact(columns, layout.pixelsPerToken()),
            Math.multiplyExact(rows, layout.pixelsPerToken()));
    TokenPositions positions = TokenPositions.of(textTokens, grid);
    RotaryTables tables =
        RotaryTables.of(
            config.rotaryAxes().stream().mapToInt(Integer::intValue).toArray(),
            positions,
            settings.ntkFactor(),
            1);
    long[] shape = {positions.tokens(), 1, config.headDim() / 2};
    return Scopes.one(
        () -> {
          Tensor cos = TensorTransfer.ofFloats(tables.cos(), shape);
          Tensor sin = TensorTransfer.ofFloats(tables.sin(), shape);
          Tensor pairs = torch.stack(new TensorVector(cos, sin), -1);
          return torch.view_as_complex(pairs).to(device, torch.ScalarType.ComplexFloat);
        });
  }

  /** Returns the streams that enter the first block. */
  List<Tensor> embed(NetworkInputs inputs) {
    return List.of(
        linear(inputs.text(), "context_embedder"), linear(inputs.latents(), "x_embedder"));
  }

  /**
   * Runs a block.
   *
   * @param index from 0, single blocks after double ones
   * @param streams what the block before returned
   * @param inputs the network's
   * @return what enters the next block or the head
   */
  List<Tensor> block(int index, List<Tensor> streams, NetworkInputs inputs) {
    return Scopes.several(
        () ->
            index < config.doubleBlocks()
                ? doubleBlock(blockName(index), streams.get(0), streams.get(1), inputs)
                : List.of(singleBlock(blockName(index), joint(streams), inputs)));
  }

  private static Tensor joint(List<Tensor> streams) {
    return streams.size() == 1
        ? streams.get(0)
        : torch.cat(new TensorVector(streams.get(0), streams.get(1)), 1);
  }

  /** Returns the velocity, [pictures, image tokens, 64], of what the last block returned. */
  Tensor head(List<Tensor> streams, NetworkInputs inputs) {
    return Scopes.one(
        () -> {
          Tensor image =
              streams.size() == 2 ? streams.get(1) : imagePart(streams.get(0), inputs.textTokens());
          TensorVector scaleAndShift = modulation(inputs, "norm_out.linear", 2);
          return linear(modulated(image, scaleAndShift.get(0), scaleAndShift.get(1)), "proj_out");
        });
  }

  private static Tensor imagePart(Tensor joint, long textTokens) {
    return joint.narrow(1, textTokens, joint.size(1) - textTokens);
  }

  private List<Tensor> doubleBlock(String block, Tensor text, Tensor image, NetworkInputs inputs) {
    String attention = block + ".attn.";
    TensorVector ofImage = modulation(inputs, block + ".norm1.linear", 6);
    TensorVector ofText = modulation(inputs, block + ".norm1_context.linear", 6);
    Tensor mixed =
        Scopes.one(
            () -> {
              Tensor x = modulated(image, ofImage.get(1), ofImage.get(0));
              Tensor y = modulated(text, ofText.get(1), ofText.get(0));
              Tensor query =
                  joint(
                      List.of(
                          normed(y, attention + "add_q_proj", attention + "norm_added_q"),
                          normed(x, attention + "to_q", attention + "norm_q")));
              Tensor key =
                  joint(
                      List.of(
                          normed(y, attention + "add_k_proj", attention + "norm_added_k"),
                          normed(x, attention + "to_k", attention + "norm_k")));
              Tensor value =
                  joint(
                      List.of(
                          heads(linear(y, attention + "add_v_proj")),
                          heads(linear(x, attention + "to_v"))));
              return attention(query, key, value, inputs.rotary());
            });
    long textTokens = inputs.textTokens();
    Tensor nextText =
        Scopes.one(
            () -> {
              Tensor own = mixed.narrow(1, 0, textTokens);
              Tensor sum = gated(text, ofText.get(2), linear(own, attention + "to_add_out"));
              return feedForward(sum, ofText, block + ".ff_context");
            });
    Tensor nextImage =
        Scopes.one(
            () -> {
              Tensor own = imagePart(mixed, textTokens);
              Tensor sum = gated(image, ofImage.get(2), linear(own, attention + "to_out.0"));
              return feedForward(sum, ofImage, block + ".ff");
            });
    return List.of(nextText, nextImage);
  }

  private Tensor feedForward(Tensor x, TensorVector modulation, String module) {
    Tensor change =
        Scopes.one(
            () -> {
              Tensor inner =
                  Scopes.one(
                      () ->
                          gelu(
                              linear(
                                  modulated(x, modulation.get(4), modulation.get(3)),
                                  module + ".net.0.proj")));
              return linear(inner, module + ".net.2");
            });
    return gated(x, modulation.get(5), change);
  }

  private Tensor singleBlock(String block, Tensor x, NetworkInputs inputs) {
    String attention = block + ".attn.";
    TensorVector modulation = modulation(inputs, block + ".norm.linear", 3);
    Tensor change =
        Scopes.one(
            () -> {
              Tensor both =
                  Scopes.one(
                      () -> {
                        Tensor y = modulated(x, modulation.get(1), modulation.get(0));
                        Tensor inner = Scopes.one(() -> gelu(linear(y, block + ".proj_mlp")));
                        Tensor mixed =
                            attention(
                                normed(y, attention + "to_q", attention + "norm_q"),
                                normed(y, attention + "to_k", attention + "norm_k"),
                                heads(linear(y, attention + "to_v")),
                                inputs.rotary());
                        return torch.cat(new TensorVector(mixed, inner), 2);
                      });
              return linear(both, block + ".proj_out");
            });
    return gated(x, modulation.get(2), change);
  }

  /** Shifts, scales and gates of a block: [pictures, width] each. */
  private TensorVector modulation(NetworkInputs inputs, String module, int parts) {
    return linear(torch.silu(inputs.embedding()), module).chunk(parts, 1);
  }

  private Tensor modulated(Tensor x, Tensor scale, Tensor shift) {
    return Scopes.one(
        () ->
            torch
                .layer_norm(
                    x,
                    new long[] {config.width()},
                    new TensorOptional(),
                    new TensorOptional(),
                    EPSILON,
                    false)
                .mul(scale.add(new Scalar(1)).unsqueeze(1))
                .add(shift.unsqueeze(1)));
  }

  private static Tensor gated(Tensor x, Tensor gate, Tensor change) {
    return Scopes.one(() -> x.add(gate.unsqueeze(1).mul(change)));
  }

  private static Tensor gelu(Tensor x) {
    return torch.gelu(x, "tanh");
  }

  /** Query or key, [pictures, tokens, heads, headDim], of unit root mean square times a weight. */
  private Tensor normed(Tensor x, String projection, String norm) {
    return Scopes.one(
        () ->
            torch.rms_norm(
                heads(linear(x, projection)),
                new long[] {config.headDim()},
                new TensorOptional(weights.get(norm + ".weight")),
                new DoubleOptional(EPSILON)));
  }

  private Tensor heads(Tensor x) {
    return x.view(x.size(0), -1, config.heads(), config.headDim());
  }

  private Tensor attention(Tensor query, Tensor key, Tensor value, Tensor rotary) {
    return Scopes.one(
        () -> {
          Tensor q = turned(query, rotary).transpose(1, 2);
          Tensor k = turned(key, rotary).transpose(1, 2);
          Tensor v = value.to(attentionType).transpose(1, 2);
          double scale = attentionScale(query.size(1));
          Tensor mixed =
              device.is_cpu()
                  ? AttentionThreads.during(q, k, v, () -> attention(q, k, v, scale))
                  : attention(q, k, v, scale);
          return mixed.transpose(1, 2).reshape(query.size(0), -1, config.width()).to(type);
        });
  }

  private static Tensor attention(Tensor query, Tensor key, Tensor value, double scale) {
    return torch.scaled_dot_product_attention(
        query, key, value, new TensorOptional(), 0, false, new DoubleOptional(scale), false);
  }

  private double attentionScale(long tokens) {
    double scale = 1.0 / config.headDim();
    if (settings.proportionalAttention()) {
      scale *= Math.log((double) tokens) / Math.log((double) settings.nativeTokens());
    }
    return Math.sqrt(scale);
  }

  /** Turns pairs of channels by their tokens' angles, in float32. */
  private Tensor turned(Tensor x, Tensor rotary) {
    return Scopes.one(
        () -> {
          Tensor pairs =
              x.to(torch.ScalarType.Float)
                  .reshape(x.size(0), -1, config.heads(), config.headDim() / 2, 2);
          return torch
              .view_as_real(torch.view_as_complex(pairs).mul(rotary))
              .flatten(3, -1)
              .to(attentionType);
        });
  }

  /** {@code W x + b}, and {@code scale B A x} where the layer is trained. */
  private Tensor linear(Tensor x, String module) {
    return Scopes.one(
        () -> {
          Tensor y =
              torch.linear(
                  x,
                  weights.get(module + ".weight"),
                  new TensorOptional(weights.get(module + ".bias")));
          AdaptedLayer adapter = adapters.get(module);
          return adapter == null ? y : y.add(adapter.change(x));
        });
  }
}
