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
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.global.torch;

/** The training step on libtorch. */
@SuppressWarnings("try") // A scope is there to be closed.
public final class TorchEngine implements TrainingEngine {

  /** As in torch's {@code clip_grad_norm_}. */
  private static final double CLIP_EPSILON = 1e-6;

  /** In the optimizer's state: the factors without the scale that adapters are given with. */
  private static final String TRAINED = "trained";

  private final TransformerConfig config;
  private final EngineSettings settings;
  private final OwnedResources owned;
  private final FrozenWeights weights;
  private final Device device;
  private final FluxTransformer network;
  private final AdapterParameters parameters;
  private final AdapterOptimizer optimizer;
  private final Workers workers;

  /** One for each worker, with the gradients that it adds to. */
  private final List<GradientPass> passes = new ArrayList<>();

  private final List<FreshGradients> fresh = new ArrayList<>();

  /** alpha / rank of a LoRA; 1 for minor components. */
  private final double scale;

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
                modules.stream().map(TrainedModule::upKey).collect(Collectors.toSet()),
                TensorTransfer.scalarType(settings.adapterType()),
                device));
    parameters.put(
        stage instanceof AdapterStage.Lora lora
            ? gaussianStart(modules, lora)
            : minorStart(modules, minor),
        1);
    weights = owned.add(FrozenWeights.of(places, settings.weightType(), device, files));
    optimizer = owned.add(AdapterOptimizer.of(settings.optimizer(), parameters));
    Map<String, AdaptedLayer> adapters = new LinkedHashMap<>();
    scale = stage instanceof AdapterStage.Lora lora ? lora.alpha() / lora.rank() : 1;
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
    workers = owned.add(new Workers(settings.workers()));
    for (int i = 0; i < settings.workers(); i++) {
      fresh.add(owned.add(parameters.fresh()));
      passes.add(
          new GradientPass(
              network,
              parameters,
              fresh.get(i),
              modules,
              settings.recomputation(),
              waiting,
              device,
              cancellation));
    }
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
    // Workers compute on their own: to wait for each other in every operation would cost more.
    TorchLibrary.useThreads(settings.workers() > 1 ? OptionalInt.of(1) : settings.threads());
    OwnedResources owned = new OwnedResources();
    try {
      return TorchFailure.<TorchEngine, IOException>named(
          "opening the transformer",
          wayOut(settings),
          () -> {
            try (PointerScope temporaries = new PointerScope()) {
              OwnedResources files = owned.add(new OwnedResources());
              Device device = TorchDevices.find(settings.device());
              device.retainReference();
              owned.add(device::releaseReference);
              return new TorchEngine(
                  opening.open(making, files),
                  making.cancellation(),
                  settings,
                  device,
                  files,
                  owned);
            }
          });
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

  private <T> T compute(StepInputs picture, Function<NetworkInputs, T> computation) {
    check(picture);
    checkFiles();
    return explained(
        "a picture of " + picture.tokens() + " tokens",
        "",
        () -> {
          try (PointerScope scope = new PointerScope()) {
            return computation.apply(network.inputs(List.of(picture)));
          }
        });
  }

  private <T, E extends Exception> T explained(
      String what, String fewer, TorchFailure.Computation<T, E> computation) throws E {
    return TorchFailure.explained(what, fewer + wayOut(settings), computation);
  }

  /** What to do where memory does not suffice. */
  private static String wayOut(EngineSettings settings) {
    return (settings.recomputation() ? "" : "turn recomputation on, ")
        + "take smaller pictures, or a device with more memory";
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
  public List<Double> accumulate(List<StepInputs> pictures, double weight) {
    if (!Double.isFinite(weight)) {
      throw new IllegalArgumentException("weight: expected a finite number, found " + weight);
    }
    if (pictures.isEmpty()) {
      throw new IllegalArgumentException("expected at least one picture, found none");
    }
    pictures.forEach(this::check);
    checkFiles();
    boolean several = pictures.size() > 1;
    return explained(
        "a step of "
            + (several ? pictures.size() + " pictures of up to " : "")
            + pictures.stream().mapToLong(StepInputs::tokens).max().orElseThrow()
            + " tokens",
        several ? "compute fewer pictures at once (a smaller batch), " : "",
        () -> {
          PictureShares shares = PictureShares.of(pictures, settings.workers());
          float[] losses = losses(pictures, shares);
          List<Double> all = finite(losses);
          for (int i = 0; i < shares.workers().size(); i++) {
            if (!Double.isFinite(fresh.get(i).squares())) {
              throw new InferenceException(
                  "the gradient of "
                      + (several ? "the losses " + all : "a loss of " + all.get(0))
                      + " is not finite, or too large for float32");
            }
          }
          for (int i = 0; i < shares.workers().size(); i++) {
            fresh.get(i).addToUpdate(weight);
          }
          return all;
        });
  }

  /** Computes the losses, by the workers, and their gradients into the fresh ones. */
  private float[] losses(List<StepInputs> pictures, PictureShares shares) {
    float[] losses = new float[pictures.size()];
    List<Runnable> work = new ArrayList<>();
    for (int i = 0; i < shares.workers().size(); i++) {
      List<List<Integer>> groups = shares.workers().get(i);
      FreshGradients gradients = fresh.get(i);
      GradientPass pass = passes.get(i);
      work.add(
          () -> {
            gradients.clear();
            for (List<Integer> group : groups) {
              List<StepInputs> together = group.stream().map(pictures::get).toList();
              try (PointerScope scope = new PointerScope()) {
                float[] some = pass.run(network.inputs(together), targets(together));
                for (int j = 0; j < some.length; j++) {
                  losses[group.get(j)] = some[j];
                }
              }
            }
          });
    }
    workers.run(work);
    return losses;
  }

  private static List<Double> finite(float[] losses) {
    List<Double> all = new ArrayList<>();
    for (int i = 0; i < losses.length; i++) {
      if (!Float.isFinite(losses[i])) {
        throw new InferenceException(
            "the loss is not finite: "
                + losses[i]
                + (losses.length == 1 ? "" : ", of picture " + (i + 1) + " of " + losses.length));
      }
      all.add((double) losses[i]);
    }
    return all;
  }

  private GradientPass.Targets targets(List<StepInputs> pictures) {
    float[] weights = new float[pictures.size()];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = (float) pictures.get(i).lossWeight();
    }
    return new GradientPass.Targets(
        TensorTransfer.stacked(
            pictures.stream().map(StepInputs::target).toList(), torch.ScalarType.Float, device),
        TensorTransfer.ofFloats(weights, weights.length).to(device, torch.ScalarType.Float));
  }

  @Override
  public double evaluate(StepInputs picture) {
    return compute(
        picture,
        inputs ->
            finite(
                    TensorTransfer.toFloats(
                        GradientPass.losses(
                            passes.get(0).prediction(inputs), targets(List.of(picture)))))
                .get(0));
  }

  @Override
  public float[] prediction(StepInputs picture) {
    return compute(picture, inputs -> TensorTransfer.toFloats(passes.get(0).prediction(inputs)));
  }

  @Override
  public double clipGradients(double maxNorm) {
    if (!(maxNorm > 0)) {
      throw new IllegalArgumentException("norm: expected a positive number, found " + maxNorm);
    }
    return explained(
        "the norm of the gradients",
        "",
        () -> {
          double norm = parameters.gradientNorm();
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
        });
  }

  @Override
  public void discardGradients() {
    explained("discarding gradients", "", () -> parameters.gradients.zero_());
  }

  @Override
  public void update(double learningRate) {
    if (!(learningRate >= 0) || Double.isInfinite(learningRate)) {
      throw new IllegalArgumentException(
          "learning rate: expected 0 or more, found " + learningRate);
    }
    explained(
        "an update",
        "",
        () -> {
          optimizer.update(learningRate);
          return parameters.gradients.zero_();
        });
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
    return explained("copying the adapters", "", () -> parameters.adapter(scale));
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> gradients() {
    return explained("copying the gradients", "", parameters::gradients);
  }

  @Override
  public Map<String, io.github.urae.tensor.Tensor> optimizerState() {
    return explained(
        "copying the optimizer's state",
        "",
        () -> {
          Map<String, io.github.urae.tensor.Tensor> state = new LinkedHashMap<>(optimizer.state());
          if (scale != 1) {
            state.put(TRAINED, TensorTransfer.toJava(parameters.values, TRAINED));
          }
          return state;
        });
  }

  @Override
  public void restore(
      Map<String, io.github.urae.tensor.Tensor> adapter,
      Map<String, io.github.urae.tensor.Tensor> optimizerState) {
    parameters.check(adapter);
    Map<String, io.github.urae.tensor.Tensor> state = new LinkedHashMap<>(optimizerState);
    io.github.urae.tensor.Tensor trained = state.remove(TRAINED);
    if (!optimizerState.isEmpty()) {
      optimizer.check(state);
      parameters.checkTrained(trained, scale);
    }
    explained(
        "restoring the adapters",
        "",
        () -> {
          if (trained == null) {
            parameters.put(adapter, scale);
          } else {
            parameters.putTrained(trained);
          }
          optimizer.put(state);
          return parameters.gradients.zero_();
        });
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
