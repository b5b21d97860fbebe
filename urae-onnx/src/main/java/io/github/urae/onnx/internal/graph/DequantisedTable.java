package io.github.urae.onnx.internal.graph;

import static io.github.urae.onnx.internal.graph.OnnxMessages.attribute;

import io.github.urae.onnx.internal.graph.GraphWeight.Packing;
import io.github.urae.tensor.ElementType;
import io.github.urae.tensor.Shape;
import io.github.urae.weights.internal.BlockEncoding;
import java.util.List;

/**
 * Rows of a table in {@linkplain BlockEncoding blocks} of small integers, such as embeddings of
 * tokens: only those that are looked up become floating-point numbers. The integers are a byte
 * each, since {@code Gather} takes none of half a byte.
 */
final class DequantisedTable {

  private DequantisedTable() {}

  /**
   * Looks up rows.
   *
   * @param g the graph
   * @param weight name of the table, stored in {@linkplain StoredBlocks#are whole blocks}
   * @param ids int64, of any shape
   * @return [..., columns] in the graph's type, of the shape of the ids otherwise
   */
  static String rows(GraphBuilder g, String weight, String ids, long rows, long columns) {
    BlockEncoding.Layout layout = ((BlockEncoding) g.stored(weight).encoding()).layout();
    long group = layout.groupElements();
    Shape shape = Shape.of(rows, columns);
    Shape groups = Shape.of(rows, columns / group);
    ElementType type = DequantisedBlocks.scaleType(g);
    GraphWeight codes =
        new GraphWeight(shape, ElementType.I8, new BlockCodes(weight, shape, Packing.NONE));
    String values =
        g.node(
            "DequantizeLinear",
            List.of(
                g.reshape(gather(g, weight + ".codes", codes, ids), g.longs(-1, group)),
                g.reshape(
                    gather(g, weight + ".scales", numbers(weight, shape, groups, type, true), ids),
                    g.longs(-1))),
            attribute("axis", 0));
    if (layout.hasOffsets()) {
      GraphWeight offsets = numbers(weight, shape, groups, type, false);
      values =
          g.add(values, g.reshape(gather(g, weight + ".offsets", offsets, ids), g.longs(-1, 1)));
    }
    String likeIds = g.concat(0, g.node("Shape", List.of(ids)), g.longs(columns));
    return g.cast(g.reshape(values, likeIds), type, g.type());
  }

  private static GraphWeight numbers(
      String weight, Shape shape, Shape groups, ElementType type, boolean scales) {
    BlockNumbers.Kind kind = scales ? BlockNumbers.Kind.SCALES : BlockNumbers.Kind.OFFSETS;
    return new GraphWeight(groups, type, new BlockNumbers(weight, shape, kind));
  }

  private static String gather(GraphBuilder g, String name, GraphWeight table, String ids) {
    return g.node("Gather", List.of(g.derived(name, table), ids));
  }
}
