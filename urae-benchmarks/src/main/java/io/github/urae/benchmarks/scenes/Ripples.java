package io.github.urae.benchmarks.scenes;

import java.util.Random;

/** Smooth noise over a plane that repeats itself, so that it may be looked at from afar. */
final class Ripples {

  private static final int SIDE = 64;
  private final double[] grid = new double[SIDE * SIDE];

  Ripples(Random random) {
    for (int i = 0; i < grid.length; i++) {
      grid[i] = random.nextGaussian();
    }
  }

  double at(double u, double v) {
    int column = (int) Math.floor(u);
    int row = (int) Math.floor(v);
    double x = u - column;
    double y = v - row;
    x = x * x * (3 - 2 * x);
    y = y * y * (3 - 2 * y);
    double above = value(column, row) * (1 - x) + value(column + 1, row) * x;
    double below = value(column, row + 1) * (1 - x) + value(column + 1, row + 1) * x;
    return above * (1 - y) + below * y;
  }

  private double value(int column, int row) {
    return grid[Math.floorMod(row, SIDE) * SIDE + Math.floorMod(column, SIDE)];
  }
}
