package io.github.urae.training.internal.torch;

import io.github.urae.AdapterException;
import io.github.urae.CancellationToken;
import io.github.urae.InferenceException;
import io.github.urae.ProgressListener;
import io.github.urae.flux.arithmetic.TorchGenerator;
import io.github.urae.flux.model.internal.TransformerConfig;
import io.github.urae.internal.NativeLibraries;
import io.github.urae.internal.OwnedResources;
import io.github.urae.tensor.Shape;
import io.github.urae.training.internal.engine.AdapterStage;
import io.github.urae.training.internal.engine.BaseModel;
import io.github.urae.training.internal.engine.EngineSettings;
import io.github.urae.training.internal.engine.NativeMemory;
import io.github.urae.training.internal.engine.StepInputs;
import io.github.urae.training.internal.engine.TrainingEngine;
import io.github.urae.weights.TensorSource;
import io.github.urae.weights.internal.WeightCache;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** The training step on libtorch. */
@SuppressWarnings("try") // A scope is there to be closed.
public final class TorchEngine implements TrainingEngine {

  /** As in torch's {@code clip_grad_norm_}. */
  private static final double CLIP_EPSILON = 1e-6;

  private final TransformerConfig config;
  private final EngineSettings settings;
  private final OwnedResources owned;
  private final FrozenWeights weights;
  private final Device device;
  private final FluxTransformer network;
  private final AdapterParameters parameters;
  private final AdapterOptimizer optimizer;
  private final GradientPass pass;

  private TorchEngine(
      BaseWeights base,
      CancellationToken cancellation,
      EngineSettings settings,
      Device device,
      OwnedResources files,
      OwnedResources owned)
      throws IOException {
    this.config = base.config();
    this.settings = settings;
    this.device = device;
    this.owned = owned;
    AdapterStage stage = settings.stage();
    List<TrainedModule> modules = new ArrayList<>();
    for (String name : stage.targets().among(TransformerShapes.blockLayers(config))) {
      modules.add(TrainedModule.of(stage, name));
    }
    Map<String, BaseWeights.Factors> minor =
        stage instanceof AdapterStage.Minor
            ? base.takeMinorComponents(modules, stage.rank())
            : Map.of();
    Map<String, TensorSource> places = base.places();
    parameters =
        owned.add(
            new AdapterParameters(
                shapes(modules, stage.rank()),
                TensorTransfer.scalarType(settings.adapterType()),
                device));
    parameters.put(
        stage instanceof AdapterStage.Lora lora
            ? gaussianStart(modules, lora)
            : minorStart(modules, minor));
    weights = owned.add(FrozenWeights.of(places, settings.weightType(), device, files));
    optimizer = owned.add(AdapterOptimizer.of(settings.optimizer(), parameters));
    Map<String, AdaptedLayer> adapters = new LinkedHashMap<>();
    double scale = stage instanceof AdapterStage.Lora lora ? lora.alpha() / lora.rank() : 1;
    for (TrainedModule module : modules) {
      adapters.put(
          module.name(),
          new AdaptedLayer(
              parameters.parameter(module.downKey()), parameters.parameter(module.upKey()), scale));
    }
    network = new FluxTransformer(config, base.layout(), settings, weights, adapters, device);
    Device waiting = settings.blockInputsOnHost() ? TorchDevices.find("cpu") : device;
    waiting.retainReference();
    owned.add(waiting::releaseReference);
    pass =
        new GradientPass(
            network, parameters, modules, settings.recomputation(), waiting, device, cancellation);
  }

  /**
   * Opens a transformer for training. Weights that are not in the user's files as they are needed
   * are made in the cache first, which takes minutes for FLUX.1; minor components of it tens of
   * minutes.
   *
   * @param model what adapters are trained on
   * @param settings what is trained, and how
   * @param listener hears of the weights being made, on the calling thread
   * @param cancellation ends that, and later a step between two of its blocks
   * @return the engine; the caller closes it
   * @throws IOException if a file is missing or cannot be read, or the cache cannot be written
   * @throws io.github.urae.UraeException if a file is damaged or does not fit, a target names no
   *     layer, or libtorch or the device is not there
   */
  public static TorchEngine open(
      BaseModel model,
      EngineSettings settings,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    return open(
        settings,
        new BaseWeights.Making(settings.weightType(), model.cache(), listener, cancellation),
        (making, files) -> BaseWeights.open(model, making, files));
  }

  /**
   * Opens a transformer alone, without a checkpoint around it.
   *
   * @param transformer a file of weights, an index or a folder
   * @param config its sizes
   * @param cache where weights lie that are made
   * @param settings what is trained, and how
   * @return the engine; the caller closes it
   * @throws IOException if a file is missing or cannot be read, or the cache cannot be written
   * @throws io.github.urae.UraeException as for {@link #open(BaseModel, EngineSettings,
   *     ProgressListener, CancellationToken)}
   */
  public static TorchEngine open(
      Path transformer, TransformerConfig config, WeightCache cache, EngineSettings settings)
      throws IOException {
    return open(
        settings,
        new BaseWeights.Making(
            settings.weightType(), cache, ProgressListener.NONE, new CancellationToken()),
        (making, files) -> BaseWeights.open(transformer, config, making, files));
  }

  @FunctionalInterface
  private interface BaseOpening {
    BaseWeights open(BaseWeights.Making making, OwnedResources files) throws IOException;
  }

  private static TorchEngine open(
      EngineSettings settings, BaseWeights.Making making, BaseOpening opening) throws IOException {
    NativeLibraries.unpackInto(making.cache().folder());
    TorchLibrary.load();
    TorchLibrary.useThreads(settings.threads());
    OwnedResources owned = new OwnedResources();
    try (PointerScope temporaries = new PointerScope()) {
      OwnedResources files = owned.add(new OwnedResources());
      Device device = TorchDevices.find(settings.device());
      device.retainReference();
      owned.add(device::releaseReference);
      return new TorchEngine(
          opening.open(making, files), making.cancellation(), settings, device, files, owned);
    } catch (Throwable e) {
      owned.closeAfter(e);
      throw e;
    }
  }

  private Map<String, Shape> shapes(List<TrainedModule> modules, int rank) {
    Map<String, Shape> all = TransformerShapes.of(config);
    Map<String, Shape> shapes = new LinkedHashMap<>();
    for (TrainedModule module : modules) {
      Shape weight = all.get(module.name() + ".weight");
      long out = weight.dimension(0);
      long in = weight.dimension(1);
      if (rank > Math.min(in, out)) {
        throw new AdapterException(
            "rank: expected at most "
                + Math.min(in, out)
                + " for '"
                + module.name()
                + "' "
                + weight
                + ", found "
                + rank);
      }
      shapes.put(module.downKey(), Shape.of(rank, in));
      shapes.put(module.upKey(), Shape.of(out, rank));
    }
    return shapes;
  }

  /** PEFT's {@code init_lora_weights="gaussian"}: a deviation of 1 / rank, and B of zeros. */
  private Map<String, io.github.urae.tensor.Tensor> gaussianStart(
      List<TrainedModule> modules, AdapterStage.Lora lora) {
    TorchGenerator generator = new TorchGenerator(lora.seed());
    Map<String, Shape> all = shapes(modules, lora.rank());
    Map<String, io.github.urae.tensor.Tensor> start = new LinkedHashMap<>();
    for (TrainedModule module : modules) {
      Shape down = all.get(module.downKey());
      Shape up = all.get(module.upKey());
      float[] values = generator.randn(Math.toIntExact(down.elementCount()));
      for (int i = 0; i < values.length; i++) {
        values[i] /= lora.rank();
      }
      start.put(module.downKey(), io.github.urae.tensor.Tensor.ofFloats(values, down.toArray()));
      start.put(
          module.upKey(),
          io.github.urae.tensor.Tensor.ofFloats(
              new float[Math.toIntExact(up.elementCount())], up.toArray()));
    }
    return start;
  }

  private static Map<String, io.github.urae.tensor.Tensor> minorStart(
      List<TrainedModule> modules, Map<String, BaseWeights.Factors> factors) {
    Map<String, io.github.urae.tensor.Tensor> start = new LinkedHashMap<>();
    for (TrainedModule module : modules) {
      start.put(module.downKey(), factors.get(module.name()).down());
      start.put(module.upKey(), factors.get(module.name()).up());
    }
    return start;
  }

  @Override
  public TransformerConfig config() {
    return config;
  }

  private <T> T compute(StepInputs step, Function<NetworkInputs, T> computation) {
    check(step);
    checkFiles();
    String what = "a step of " + step.tokens() + " tokens";
    return explained(
        what,
        () -> {
          try (PointerScope scope = new PointerScope()) {
            return computation.apply(network.inputs(step));
          }
        });
  }

  private <T> T explained(String what, Supplier<T> computation) {
    return TorchFailure.explained(
        what,
        (settings.recomputation() ? "" : "turn recomputation on, ")
            + "take smaller pictures, or a device with more memory",
        computation);
  }

  private void checkFiles() {
    try {
      weights.checkUnchanged();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void check(StepInputs step) {
    long tokens = (long) step.rows() * step.columns();
    expect("latents", step.latents().shape(), Shape.of(tokens, config.inputChannels()));
    expect("target", step.target().shape(), Shape.of(tokens, config.outputChannels()));
    expect("pooled text", step.pooled().shape(), Shape.of(config.pooledDim()));
    Shape text = step.text().shape();
    if (text.rank() != 2 || text.dimension(0) < 1 || text.dimension(1) != config.textDim()) {
      throw new IllegalArgumentException(
          "text: expected [L, " + config.textDim() + "], found " + text);
    }
  }

  private static void expect(String what, Shape found, Shape expected) {
    if (!found.equals(expected)) {
      throw new IllegalArgumentException(
          what + ": expected " + expected + ", found " + found + "; is it another model's?");
    }
  }

  @Override
  public double accumulate(StepInputs step, double weight) {
    if (!Double.isFinite(weight)) {
      throw new IllegalArgumentException("weight: expected a finite number, found " + weight);
    }
    double loss = compute(step, inputs -> pass.run(inputs, target(step), step.lossWeight()));
    if (!Double.isFinite(loss)) {
      throw new InferenceException("the loss is not finite: " + loss);
    }
    if (!Double.isFinite(parameters.freshSquares())) {
      throw new InferenceException(
          "the gradient of a loss of " + loss + " is not finite, or too large for float32");
    }
    parameters.addPicture(weight);
    return loss;
  }

  private Tensor target(StepInputs step) {
    return TensorTransfer.toTorch(step.target(), torch.ScalarType.Float, device).unsqueeze(0);
  }

  @Override
  public double evaluate(StepInputs step) {
    double loss =
        compute(
            step,
            inputs ->
                GradientPass.loss(pass.prediction(inputs), target(step), step.lossWeight())
                    .item_double());
    if (!Double.isFinite(loss)) {
      throw new InferenceException("the loss is not finite: " + loss);
    }
    return loss;
  }

  @Override
  public float[] prediction(StepInputs step) {
    return compute(step, inputs -> TensorTransfer.toFloats(pass.prediction(inputs)));
  }

  @Override
  public double clipGradients(double maxNorm) {
    if (!(maxNorm > 0)) {
      throw new IllegalArgumentException("norm: expected a positive number, found " + maxNorm);
    }
    double norm = RunningCalls.during(parameters::gradientNorm);
    if (!Double.isFinite(norm)) {
      throw new InferenceException("the norm of the gradients is not finite: " + norm);
    }
    double factor = maxNorm / (norm + CLIP_EPSILON);
    if (factor < 1) {
      try (PointerScope temporaries = new PointerScope()) {
        parameters.gradients.mul_(new Scalar(factor));
      }
    }
    return norm;
  }

  @Override
  public void discardGradients() {
    parameters.gradients.zero_();
  }

  @Override
  public void update(double learningRate) {
    if (!(learningRate >= 0) || Double.isInfinite(learningRate)) {
      throw new IllegalArgumentException(
          "learning rate: expected 0 or more, found " + learningRate);
    }
    explained(
        "an update",
        () -> {
          optimizer.update(learningRate);
          return null;
        });
    discardGradients();
  }

  @Override
  public long updates() {
    return optimizer.updates();
  }

  @Override
  public OptionalDouble stepSize() {
    return optimizer.stepSize();
  }

  @Override
  public long parameters() {
    return parameters.count();
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> adapter() {
    return RunningCalls.during(() -> parameters.copies(false));
  }

  @Override
  public Map<String, String> adapterMetadata() {
    return settings.stage() instanceof AdapterStage.Lora lora && lora.alpha() != lora.rank()
        ? Map.of(
            "lora_adapter_metadata",
            "{\"transformer.lora_alpha\": "
                + lora.alpha()
                + ", \"transformer.r\": "
                + lora.rank()
                + "}")
        : Map.of();
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> gradients() {
    return RunningCalls.during(() -> parameters.copies(true));
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> optimizerState() {
    return RunningCalls.during(optimizer::state);
  }

  @Override
  public void restore(
      Map<String, io.github.urae.tensor.Tensor> adapter,
      Map<String, io.github.urae.tensor.Tensor> optimizerState) {
    parameters.check(adapter);
    if (!optimizerState.isEmpty()) {
      optimizer.check(optimizerState);
    }
    parameters.put(adapter);
    optimizer.put(optimizerState);
    discardGradients();
  }

  @Override
  public NativeMemory memory() {
    return new NativeMemory(Pointer.totalCount(), Pointer.totalBytes(), Pointer.physicalBytes());
  }

  @Override
  public void close() throws IOException {
    owned.close();
  }
}
