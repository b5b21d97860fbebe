package io.github.urae.onnx.internal.source;

import ai.onnx.proto.OnnxMl.FunctionProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import io.github.urae.FileFormatException;
import io.github.urae.ModelException;
import io.github.urae.onnx.internal.graph.NetworkGraph;
import io.github.urae.onnx.internal.graph.OnnxMessages;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.TensorInfo;
import io.github.urae.weights.WeightEncoding;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A {@code model.onnx}: its nodes, and where its initializers lie, in the file itself or in
 * external data beside it. Holds no weight; a file of gigabytes costs kilobytes.
 *
 * @param path the file
 * @param irVersion version of ONNX's file format
 * @param opsets versions of operators by domain; the standard domain is the empty string
 * @param graph nodes in an order in which they can run, inputs and outputs, and those initializers
 *     that have no place: a few small constants. It is well-formed, see {@link GraphCheck};
 *     functions are inlined
 * @param initializers those that have one, by name
 */
record OnnxFile(
    Path path,
    long irVersion,
    Map<String, Long> opsets,
    GraphProto graph,
    Map<String, TensorInfo> initializers) {

  /** Oldest and newest standard operators whose files are read. */
  private static final long MIN_OPSET = 11;

  private static final long MAX_OPSET = 25;

  /** Bytes of nodes and constants; FLUX.1's take about 4 MB. */
  static final long MAX_GRAPH_BYTES = 256L << 20;

  /** Nodes, and initializers; FLUX.1's exports have about 10 000 and 1500. */
  static final int MAX_NODES = 250_000;

  private static final int MAX_RANK = 64;

  /** What a message takes beside its bytes, so that empty ones count. */
  private static final int MESSAGE_BYTES = 64;

  /**
   * Reads a file.
   *
   * @throws IOException if it is missing or cannot be read
   * @throws FileFormatException if it is damaged, or its external data is missing, cut short or
   *     outside its folder
   * @throws ModelException if it needs operators that ONNX Runtime does not have
   */
  static OnnxFile read(Path path) throws IOException {
    Reader reader = new Reader(path);
    try (InputStream in = Files.newInputStream(path)) {
      reader.model(CodedInputStream.newInstance(in));
    } catch (InvalidProtocolBufferException e) {
      throw new FileFormatException(path + ": not a valid ONNX file: " + e.getMessage(), e);
    }
    return reader.finish();
  }

  private static long standardOpset(Path path, Map<String, Long> opsets) {
    Long version = opsets.get("");
    if (version == null || version < MIN_OPSET || version > MAX_OPSET) {
      throw new ModelException(
          path
              + ": expected operator set "
              + MIN_OPSET
              + " to "
              + MAX_OPSET
              + ", found "
              + (version == null ? "none" : version)
              + "; export the model again");
    }
    return version;
  }

  private static void checkOperators(Path path, GraphProto graph) {
    for (NodeProto node : graph.getNodeList()) {
      String domain = node.getDomain();
      if (!domain.isEmpty() && !domain.equals(NetworkGraph.MICROSOFT_DOMAIN)) {
        throw new ModelException(
            path
                + ": node '"
                + node.getName()
                + "': expected operators of ONNX or ONNX Runtime, found the custom operator '"
                + node.getOpType()
                + "' of '"
                + domain
                + "'; export the model without it");
      }
    }
  }

  static boolean isStandard(String domain) {
    return domain(domain).isEmpty();
  }

  /** Returns a domain of operators; the standard one, which has two names, is empty. */
  static String domain(String name) {
    return name.equals("ai.onnx") ? "" : name;
  }

  /** Names file, initializer and the first node that reads it, for messages. */
  String describe(String initializer) {
    Optional<String> reader =
        graph.getNodeList().stream()
            .filter(n -> n.getInputList().contains(initializer))
            .map(n -> " of node '" + n.getName() + "'")
            .findFirst();
    return path + ": initializer '" + initializer + "'" + reader.orElse("");
  }

  /** Walks the file's messages; weights are skipped and their positions kept. */
  private static final class Reader {

    private final Path path;
    private final Path folder;
    private final Map<String, Long> opsets = new LinkedHashMap<>();
    private final List<FunctionProto> functions = new ArrayList<>();
    private final GraphProto.Builder graph = GraphProto.newBuilder();
    private final Map<String, TensorInfo> initializers = new LinkedHashMap<>();
    private final GraphSize size;
    private long irVersion;
    private long graphBytes;
    private boolean hasGraph;

    Reader(Path path) {
      this.path = path;
      this.folder = path.toAbsolutePath().normalize().getParent();
      this.size = new GraphSize(path);
    }

    OnnxFile finish() throws IOException {
      if (!hasGraph) {
        throw new FileFormatException(path + ": not a valid ONNX file: it holds no graph");
      }
      long opset = standardOpset(path, opsets);
      for (NodeProto.Builder node : graph.getNodeBuilderList()) {
        node.setDomain(domain(node.getDomain()));
      }
      GraphProto inlined = FunctionInliner.inline(path, graph.build(), functions, opset);
      checkOperators(path, inlined);
      List<NodeProto> ordered = GraphCheck.inOrder(path, inlined, initializers.keySet());
      OnnxFile file =
          new OnnxFile(
              path,
              irVersion,
              Collections.unmodifiableMap(opsets),
              inlined.toBuilder().clearNode().addAllNode(ordered).build(),
              Collections.unmodifiableMap(initializers));
      for (TensorInfo info : initializers.values()) {
        checkPlace(file, info);
      }
      return file;
    }

    void model(CodedInputStream in) throws IOException {
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        switch (WireFormat.getTagFieldNumber(tag)) {
          case 1 -> irVersion = in.readInt64();
          case 7 -> graph(in);
          case 8 -> {
            OperatorSetIdProto opset = OperatorSetIdProto.parseFrom(bytes(in));
            Long other = opsets.put(domain(opset.getDomain()), opset.getVersion());
            if (other != null && other != opset.getVersion()) {
              throw new FileFormatException(
                  path
                      + ": operator set '"
                      + opset.getDomain()
                      + "' is of two versions, "
                      + other
                      + " and "
                      + opset.getVersion());
            }
          }
          case 25 -> function(FunctionProto.parseFrom(bytes(in)));
          default -> in.skipField(tag);
        }
      }
    }

    private void function(FunctionProto function) {
      functions.add(function);
      size.checkName(function.getNameBytes());
      size.checkName(function.getDomainBytes());
      size.add(function.getInputList().asByteStringList());
      size.add(function.getOutputList().asByteStringList());
      function.getNodeList().forEach(size::add);
    }

    private byte[] bytes(CodedInputStream in) throws IOException {
      int length = in.readRawVarint32();
      count(length);
      return in.readRawBytes(length);
    }

    private void count(long bytes) {
      graphBytes += bytes + MESSAGE_BYTES;
      if (bytes < 0 || graphBytes > MAX_GRAPH_BYTES) {
        throw new FileFormatException(
            path
                + ": nodes and constants take more than "
                + MAX_GRAPH_BYTES
                + " bytes; weights belong in initializers");
      }
    }

    private void graph(CodedInputStream in) throws IOException {
      hasGraph = true;
      int limit = in.pushLimit(in.readRawVarint32());
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        switch (WireFormat.getTagFieldNumber(tag)) {
          case 1 -> {
            NodeProto node = NodeProto.parseFrom(bytes(in));
            size.add(node);
            graph.addNode(node);
          }
          case 2 -> graph.setName(name(in));
          case 5 -> initializer(in);
          case 11 -> graph.addInput(value(in));
          case 12 -> graph.addOutput(value(in));
          case 15 ->
              throw new FileFormatException(path + ": sparse initializers are not supported");
          default -> in.skipField(tag);
        }
      }
      in.popLimit(limit);
    }

    private ValueInfoProto value(CodedInputStream in) throws IOException {
      ValueInfoProto value = ValueInfoProto.parseFrom(bytes(in));
      size.addValues(1);
      size.checkName(value.getNameBytes());
      return value;
    }

    private String name(CodedInputStream in) throws IOException {
      ByteString name = ByteString.copyFrom(bytes(in));
      size.checkName(name);
      return name.toStringUtf8();
    }

    private void initializer(CodedInputStream in) throws IOException {
      TensorProto.Builder tensor = TensorProto.newBuilder();
      long position = -1;
      long length = -1;
      int limit = in.pushLimit(in.readRawVarint32());
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        boolean delimited = WireFormat.getTagWireType(tag) == WireFormat.WIRETYPE_LENGTH_DELIMITED;
        switch (WireFormat.getTagFieldNumber(tag)) {
          case 1 -> {
            if (delimited) {
              int packed = in.pushLimit(in.readRawVarint32());
              while (!in.isAtEnd()) {
                addDimension(tensor, in);
              }
              in.popLimit(packed);
            } else {
              addDimension(tensor, in);
            }
          }
          case 2 -> tensor.setDataType(in.readInt32());
          case 8 -> tensor.setName(name(in));
          case 13 -> tensor.addExternalData(StringStringEntryProto.parseFrom(bytes(in)));
          case 14 -> {
            int location = in.readEnum();
            if (location == TensorProto.DataLocation.EXTERNAL_VALUE) {
              tensor.setDataLocation(TensorProto.DataLocation.EXTERNAL);
            }
          }
          case 4, 9 -> {
            if (!delimited || length >= 0) {
              throw unreadable(tensor.getName());
            }
            length = in.readRawVarint32();
            position = in.getTotalBytesRead();
            in.skipRawBytes((int) length);
          }
          case 5, 6, 10, 11 -> throw unreadable(tensor.getName());
          case 7 -> {
            if (delimited) {
              int packed = in.pushLimit(in.readRawVarint32());
              while (!in.isAtEnd()) {
                addLong(tensor, in);
              }
              in.popLimit(packed);
            } else {
              addLong(tensor, in);
            }
          }
          default -> in.skipField(tag);
        }
      }
      in.popLimit(limit);
      add(tensor, position, length);
    }

    private void addDimension(TensorProto.Builder tensor, CodedInputStream in) throws IOException {
      tensor.addDims(in.readInt64());
      if (tensor.getDimsCount() > MAX_RANK) {
        throw new FileFormatException(
            path
                + ": initializer '"
                + tensor.getName()
                + "': more than "
                + MAX_RANK
                + " dimensions");
      }
    }

    private void addLong(TensorProto.Builder tensor, CodedInputStream in) throws IOException {
      count(Long.BYTES);
      tensor.addInt64Data(in.readInt64());
    }

    private FileFormatException unreadable(String name) {
      return new FileFormatException(
          path
              + ": initializer '"
              + name
              + "': its values are stored one by one; save the model with raw_data or external"
              + " data");
    }

    private void add(TensorProto.Builder tensor, long position, long length) {
      if (initializers.size() + graph.getInitializerCount() >= MAX_NODES) {
        throw new FileFormatException(path + ": more than " + MAX_NODES + " initializers");
      }
      Optional<ElementType> type = OnnxMessages.elementType(tensor.getDataType());
      boolean external = tensor.getDataLocation() == TensorProto.DataLocation.EXTERNAL;
      if (!external && length < 0) {
        graph.addInitializer(tensor); // A few integers, or nothing at all.
        return;
      }
      if (type.isEmpty()) {
        throw new FileFormatException(
            path
                + ": initializer '"
                + tensor.getName()
                + "': element type "
                + tensor.getDataType()
                + " of ONNX is not supported");
      }
      Shape shape;
      long size;
      try {
        shape = Shape.of(tensor.getDimsList().stream().mapToLong(Long::longValue).toArray());
        size = type.get().byteSize(shape.elementCount());
      } catch (IllegalArgumentException | ArithmeticException e) {
        throw new FileFormatException(
            path + ": initializer '" + tensor.getName() + "': impossible shape", e);
      }
      Path file = path;
      if (external) {
        Map<String, String> entries = new LinkedHashMap<>();
        tensor.getExternalDataList().forEach(e -> entries.put(e.getKey(), e.getValue()));
        file = externalFile(tensor.getName(), entries.get("location"));
        position = number(tensor.getName(), entries.getOrDefault("offset", "0"));
        length = number(tensor.getName(), entries.getOrDefault("length", Long.toString(size)));
      }
      if (length != size) {
        throw new FileFormatException(
            path
                + ": initializer '"
                + tensor.getName()
                + "': "
                + type.get()
                + shape
                + " takes "
                + size
                + " bytes, but "
                + length
                + " are stored");
      }
      TensorInfo info =
          new TensorInfo(
              tensor.getName(), WeightEncoding.plain(type.get()), shape, file, position, length);
      if (initializers.put(tensor.getName(), info) != null) {
        throw new FileFormatException(
            path + ": initializer '" + tensor.getName() + "' is there twice");
      }
    }

    private long number(String name, String text) {
      try {
        long value = Long.parseLong(text);
        if (value >= 0) {
          return value;
        }
      } catch (NumberFormatException e) {
        throw new FileFormatException(
            path + ": initializer '" + name + "': '" + text + "' is no position", e);
      }
      throw new FileFormatException(
          path + ": initializer '" + name + "': " + text + " is no position");
    }

    private Path externalFile(String name, String location) {
      Path resolved;
      try {
        resolved = location == null ? folder : folder.resolve(location).normalize();
      } catch (InvalidPathException e) {
        throw new FileFormatException(
            path + ": initializer '" + name + "': '" + location + "' is no file name", e);
      }
      // By name only: in a Hugging Face cache the files are links out of the folder.
      if (!resolved.startsWith(folder) || resolved.equals(folder)) {
        throw new FileFormatException(
            path
                + ": initializer '"
                + name
                + "': its external data '"
                + location
                + "' lies outside the folder of the model");
      }
      return resolved;
    }

    private static void checkPlace(OnnxFile file, TensorInfo info) throws IOException {
      if (!Files.exists(info.file())) {
        throw new FileFormatException(
            file.describe(info.name())
                + ": its external data "
                + info.file()
                + " is missing; copy it beside the model");
      }
      long size = Files.size(info.file());
      if (info.offset() > size - info.length()) {
        throw new FileFormatException(
            file.describe(info.name())
                + ": expected "
                + info.length()
                + " bytes from position "
                + info.offset()
                + " of "
                + info.file()
                + ", which ends at "
                + size
                + "; it was cut short: copy it again");
      }
    }
  }
}
