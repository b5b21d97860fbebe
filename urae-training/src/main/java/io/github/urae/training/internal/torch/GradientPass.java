package io.github.urae.training.internal.torch;

import io.github.urae.CancellationToken;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Losses and gradients of pictures that are computed at once. With recomputation, the network runs
 * without a graph first and only what enters each block is kept; then each block runs again, from
 * the last one on, with a graph of its own. Of one thread at a time.
 */
@SuppressWarnings("try") // A scope is there to be closed.
final class GradientPass {

  private final FluxTransformer network;
  private final AdapterParameters parameters;
  private final FreshGradients fresh;
  private final boolean recomputation;

  /** Where what enters the blocks waits; the network's device where it stays there. */
  private final Device waiting;

  private final Device device;

  /** Asked before each block: one of FLUX.1 takes minutes on a CPU. */
  private final CancellationToken cancellation;

  /** Keys of the trained parameters of each block. */
  private final List<List<String>> keys;

  /** The first block with a trained parameter: no gradient is needed below. */
  private final int lowest;

  GradientPass(
      FluxTransformer network,
      AdapterParameters parameters,
      FreshGradients fresh,
      List<TrainedModule> modules,
      boolean recomputation,
      Device waiting,
      Device device,
      CancellationToken cancellation) {
    this.network = network;
    this.parameters = parameters;
    this.fresh = fresh;
    this.recomputation = recomputation;
    this.waiting = waiting;
    this.device = device;
    this.cancellation = cancellation;
    this.keys = new ArrayList<>();
    for (int i = 0; i < network.blocks(); i++) {
      String prefix = network.blockName(i) + ".";
      keys.add(
          modules.stream()
              .filter(module -> module.name().startsWith(prefix))
              .flatMap(module -> module.keys().stream())
              .toList());
    }
    int first = 0;
    while (first < keys.size() - 1 && keys.get(first).isEmpty()) {
      first++;
    }
    this.lowest = first;
  }

  /** Returns the velocity without a graph, in the caller's scope. */
  Tensor prediction(NetworkInputs inputs) {
    try (NoGradGuard guard = new NoGradGuard()) {
      return Scopes.one(
          () -> {
            List<Tensor> streams = network.embed(inputs);
            for (int i = 0; i < network.blocks(); i++) {
              streams = advanced(i, streams, inputs);
            }
            return network.head(streams, inputs);
          });
    }
  }

  private List<Tensor> block(int index, List<Tensor> streams, NetworkInputs inputs) {
    cancellation.throwIfCancelled();
    RunningCalls.throwIfEnding();
    return network.block(index, streams, inputs);
  }

  /** Runs a block, and frees what entered it. */
  private List<Tensor> advanced(int block, List<Tensor> streams, NetworkInputs inputs) {
    List<Tensor> next = block(block, streams, inputs);
    streams.forEach(Tensor::close);
    return next;
  }

  /**
   * What predictions are compared with.
   *
   * @param velocities [pictures, image tokens, 64], float32
   * @param weights factors on the losses, [pictures], float32
   */
  record Targets(Tensor velocities, Tensor weights) {}

  /** Returns {@code weight * mean((prediction - target)^2)} of each picture, in float32. */
  static Tensor losses(Tensor prediction, Targets targets) {
    return Scopes.one(
        () -> {
          Tensor error = prediction.to(torch.ScalarType.Float).sub(targets.velocities());
          return error.mul(error).flatten(1, -1).mean(1).mul(targets.weights());
        });
  }

  /**
   * Computes the losses, and adds the gradients of their sum to the fresh ones.
   *
   * @param inputs the pictures; their tensors stay
   * @param targets what is to be predicted of them
   * @return the losses
   */
  float[] run(NetworkInputs inputs, Targets targets) {
    return recomputation ? blockwise(inputs, targets) : whole(inputs, targets);
  }

  private float[] whole(NetworkInputs inputs, Targets targets) {
    try (PointerScope scope = new PointerScope()) {
      List<Tensor> streams = network.embed(inputs);
      for (int i = 0; i < network.blocks(); i++) {
        streams = block(i, streams, inputs);
      }
      Tensor losses = losses(network.head(streams, inputs), targets);
      TensorVector gradients =
          gradients(List.of(losses.sum()), parameters.parameters(), new TensorVector());
      fresh.add(parameters.keys(), gradients, 0);
      return TensorTransfer.toFloats(losses);
    }
  }

  private float[] blockwise(NetworkInputs inputs, Targets targets) {
    int last = network.blocks() - 1;
    try (Waiting entering = new Waiting()) {
      forward(inputs, last, entering);
      float[] values;
      List<Tensor> fromAbove;
      try (PointerScope scope = new PointerScope()) {
        List<Tensor> entered = entering.take();
        List<Tensor> streams = block(last, entered, inputs);
        Tensor losses = losses(network.head(streams, inputs), targets);
        values = TensorTransfer.toFloats(losses);
        fromAbove = entering.keep(backward(last, entered, List.of(losses.sum()), List.of()));
      }
      for (int i = last - 1; i >= lowest; i--) {
        try (PointerScope scope = new PointerScope()) {
          List<Tensor> entered = entering.take();
          List<Tensor> left = block(i, entered, inputs);
          fromAbove = entering.keep(backward(i, entered, left, fromAbove));
        }
      }
      return values;
    }
  }

  /** Runs all blocks but the last without a graph, and keeps what enters trained ones. */
  private void forward(NetworkInputs inputs, int last, Waiting entering) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      List<Tensor> streams = network.embed(inputs);
      for (int i = 0; i <= last; i++) {
        if (i >= lowest) {
          entering.add(streams);
        }
        if (i < last) {
          streams = advanced(i, streams, inputs);
        }
      }
    }
  }

  /**
   * Adds the gradients of a block's parameters.
   *
   * @param entered what entered the block
   * @param left what it made of that, or the sum of the losses
   * @param fromAbove the gradient of what it made; empty for that sum
   * @return the gradient of what entered it; of the lowest trained block nothing
   */
  private List<Tensor> backward(
      int block, List<Tensor> entered, List<Tensor> left, List<Tensor> fromAbove) {
    List<Tensor> wanted = new ArrayList<>();
    boolean lowermost = block == lowest;
    if (!lowermost) {
      wanted.addAll(entered);
    }
    keys.get(block).forEach(key -> wanted.add(parameters.parameter(key)));
    // A stream that nothing trained has touched yet has no graph.
    List<Tensor> outputs = new ArrayList<>();
    List<Tensor> ofOutputs = new ArrayList<>();
    for (int i = 0; i < left.size(); i++) {
      if (left.get(i).requires_grad()) {
        outputs.add(left.get(i));
        if (!fromAbove.isEmpty()) {
          ofOutputs.add(fromAbove.get(i));
        }
      }
    }
    TensorVector result = gradients(outputs, wanted, vector(ofOutputs));
    int streams = lowermost ? 0 : entered.size();
    fresh.add(keys.get(block), result, streams);
    List<Tensor> below = new ArrayList<>();
    for (int i = 0; i < streams; i++) {
      below.add(result.get(i));
    }
    return below;
  }

  private static TensorVector gradients(
      List<Tensor> outputs, List<Tensor> wanted, TensorVector ofOutputs) {
    try {
      return torch.grad(
          vector(outputs), vector(wanted), ofOutputs, new BoolOptional(), false, true);
    } finally {
      AttentionThreads.giveBack();
    }
  }

  private static TensorVector vector(List<Tensor> tensors) {
    return new TensorVector(tensors.toArray(new Tensor[0]));
  }

  /** What enters blocks, until their gradients are due; and one block's gradient. */
  private final class Waiting implements AutoCloseable {

    private final Deque<OwnedTensors> kept = new ArrayDeque<>();
    private final Deque<List<Tensor>> streams = new ArrayDeque<>();
    private OwnedTensors gradient = new OwnedTensors();

    void add(List<Tensor> entering) {
      OwnedTensors owner = new OwnedTensors();
      kept.push(owner);
      streams.push(
          entering.stream().map(stream -> owner.add(stream.to(waiting, typeOf(stream)))).toList());
    }

    /** Returns the latest as leaves of a new graph, in the caller's scope, and forgets it. */
    List<Tensor> take() {
      try (OwnedTensors owner = kept.pop()) {
        return streams.pop().stream()
            .map(stream -> stream.to(device, typeOf(stream)).detach())
            .map(stream -> stream.set_requires_grad(!kept.isEmpty()))
            .toList();
      }
    }

    /** Keeps a gradient until the next one is kept. */
    List<Tensor> keep(List<Tensor> next) {
      OwnedTensors owner = new OwnedTensors();
      List<Tensor> own = owner.addAll(next);
      gradient.close();
      gradient = owner;
      return own;
    }

    private torch.ScalarType typeOf(Tensor tensor) {
      return tensor.scalar_type().intern();
    }

    @Override
    public void close() {
      kept.forEach(OwnedTensors::close);
      gradient.close();
    }
  }
}
