package io.github.urae.pipeline;

import io.github.urae.CancellationToken;
import io.github.urae.ProgressListener;
import io.github.urae.cache.WeightCache;
import io.github.urae.graph.ClipTextGraph;
import io.github.urae.graph.NetworkGraph;
import io.github.urae.graph.T5EncoderGraph;
import io.github.urae.graph.TransformerGraph;
import io.github.urae.graph.VaeDecoderGraph;
import io.github.urae.internal.OwnedResources;
import io.github.urae.safetensors.TensorSource;
import io.github.urae.session.Device;
import io.github.urae.session.NetworkSession;
import io.github.urae.session.SessionSettings;
import io.github.urae.session.Weights;
import io.github.urae.tensor.ElementType;
import io.github.urae.tokenizer.ClipTokenizer;
import io.github.urae.tokenizer.T5Tokenizer;
import io.github.urae.tokenizer.Tokenizer;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;

/** The tokenizers and networks of one checkpoint, opened together and closed together. */
final class Networks implements Closeable {

  /** A network before it is loaded: its graph, and its weights, open and checked. */
  private record Prepared(NetworkGraph graph, Weights weights) {}

  private final FluxCheckpoint checkpoint;
  private final SessionSettings settings;
  private final ElementType elementType;
  private final OwnedResources opened = new OwnedResources();

  private Tokenizer clipTokenizer;
  private Tokenizer t5Tokenizer;
  private NetworkSession clip;
  private NetworkSession t5;
  private NetworkSession transformer;
  private NetworkSession vaeDecoder;

  private Networks(FluxCheckpoint checkpoint, SessionSettings settings) {
    this.checkpoint = checkpoint;
    this.settings = settings;
    // The CPU provider has no bfloat16 arithmetic.
    this.elementType =
        settings.device() instanceof Device.Cuda ? ElementType.BF16 : ElementType.F32;
  }

  static Networks open(
      Path model,
      Device device,
      WeightCache cache,
      OptionalInt threads,
      boolean prepacking,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    FluxCheckpoint checkpoint = FluxCheckpoint.open(model);
    SessionSettings settings = new SessionSettings(device.resolve(), threads, prepacking);
    Networks networks = new Networks(checkpoint, settings);
    try {
      networks.start(cache, listener, cancellation);
      return networks;
    } catch (Throwable e) {
      networks.opened.closeAfter(e);
      throw e;
    }
  }

  private void start(WeightCache cache, ProgressListener listener, CancellationToken cancellation)
      throws IOException {
    Path folder = checkpoint.folder();
    clipTokenizer = opened.add(ClipTokenizer.open(folder.resolve("tokenizer"), cache.folder()));
    t5Tokenizer =
        opened.add(
            T5Tokenizer.open(
                folder.resolve("tokenizer_2"),
                checkpoint.t5().endToken(),
                checkpoint.t5().padToken(),
                cache.folder()));

    // All files are checked before the first is converted or loaded.
    Prepared clipParts =
        prepare(ClipTextGraph.build(checkpoint.clip(), elementType), "text_encoder");
    Prepared t5Parts =
        prepare(T5EncoderGraph.build(checkpoint.t5(), elementType), "text_encoder_2");
    Prepared transformerParts =
        prepare(TransformerGraph.build(checkpoint.transformer(), elementType), "transformer");
    Prepared vaeParts = prepare(VaeDecoderGraph.build(checkpoint.vae()), "vae");

    clip = load(clipParts, cache, listener, cancellation);
    t5 = load(t5Parts, cache, listener, cancellation);
    transformer = load(transformerParts, cache, listener, cancellation);
    vaeDecoder = load(vaeParts, cache, listener, cancellation);
  }

  private Prepared prepare(NetworkGraph graph, String subfolder) throws IOException {
    Path path = checkpoint.folder().resolve(subfolder);
    return new Prepared(graph, opened.add(Weights.open(graph, path)));
  }

  private NetworkSession load(
      Prepared prepared,
      WeightCache cache,
      ProgressListener listener,
      CancellationToken cancellation)
      throws IOException {
    TensorSource weights = prepared.weights().inSessionType(cache, listener, cancellation);
    return opened.add(NetworkSession.open(prepared.graph(), weights, Map.of(), settings));
  }

  FluxCheckpoint checkpoint() {
    return checkpoint;
  }

  Device device() {
    return settings.device();
  }

  /** Returns the element type of text encoders and transformer. */
  ElementType elementType() {
    return elementType;
  }

  int maxTextTokens() {
    return checkpoint.maxTextTokens(t5Tokenizer.maxLength());
  }

  long nativeTokens() {
    return checkpoint.nativeTokens(t5Tokenizer.maxLength());
  }

  TextEncoders encoders() {
    return new TextEncoders(
        clipTokenizer, clip, checkpoint.clip(), t5Tokenizer, t5, checkpoint.t5());
  }

  NetworkSession transformer() {
    return transformer;
  }

  ImageDecoder decoder() {
    return new ImageDecoder(vaeDecoder, checkpoint.vae());
  }

  long nanosInRuntime() {
    return Stream.of(clip, t5, transformer, vaeDecoder)
        .mapToLong(NetworkSession::nanosInRuntime)
        .sum();
  }

  @Override
  public void close() throws IOException {
    opened.close();
  }
}
