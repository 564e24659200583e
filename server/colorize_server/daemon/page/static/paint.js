// The picture on the screen: L* of the proof, a*b* of the network's size carried up along the photograph's edges (joint
// bilateral upsampling, Kopf and others 2007, as `colorize_server.picture.upsample`), the strokes, saturation, gamut.

import { FROM_XYZ, labOf, srgbOf, TO_XYZ, WHITE } from './color.js'

const L_STEPS = 655; const AB_STEPS = 64; const DOUBT_FULL = 240 // 40 C* in steps of 1/6
const AGREEMENT = 'exp2(-e*e*0.18033688)' // half of the square of e / 2 L*, in powers of two
const FLOOR = 1e-4

const vec3 = numbers => `vec3(${numbers.map(v => v.toFixed(7))})`
const times = (matrix, vector) => `vec3(${matrix.map(row => `dot(${vec3(row)},${vector})`)})`

const VERTEX = `#version 300 es
in vec2 p;void main(){gl_Position=vec4(p,0,1);}`

const FRAGMENT = `#version 300 es
precision highp float;precision highp int;precision highp usampler2D;precision highp isampler2D;
uniform usampler2D proof,low;uniform isampler2D own,strokes;uniform sampler2D doubt,ink;
uniform float saturation,cut,showDoubt;out vec4 result;
const float D=6./29.;
float enc(float c){return c<=.0031308?12.92*c:1.055*pow(c,1./2.4)-.055;}
float dec(float c){return c<=.04045?c/12.92:pow((c+.055)/1.055,2.4);}
float cube(float f){return f>D?f*f*f:3.*D*D*(f-4./29.);}
float root(float t){return t>D*D*D?pow(t,1./3.):t/(3.*D*D)+4./29.;}
const vec3 W=${vec3(WHITE)};
vec3 lin(float l,vec2 ab){float y=(l+16.)/116.;vec3 x=vec3(cube(y+ab.x/500.),cube(y),cube(y-ab.y/200.))*W;return ${times(FROM_XYZ, 'x')};}
bool inside(vec3 c){return all(greaterThanEqual(c,vec3(-1e-5)))&&all(lessThanEqual(c,vec3(1.+1e-5)));}
vec2 abOf(vec3 s){vec3 c=vec3(dec(s.r),dec(s.g),dec(s.b));vec3 x=${times(TO_XYZ, 'c')}/W;
 float y=root(x.y);return vec2(500.*(root(x.x)-y),200.*(y-root(x.z)));}
void main(){
 ivec2 size=textureSize(proof,0),n=textureSize(low,0);ivec2 at=ivec2(gl_FragCoord.xy);at.y=size.y-1-at.y;
 float l=float(texelFetch(proof,at,0).r)/${L_STEPS}.;
 vec2 q=(vec2(at)+.5)*vec2(n)/vec2(size)-.5,first=floor(q)-1.;vec4 sum=vec4(0);float total=0.,d=0.,dw=0.;
 for(int j=0;j<4;j++)for(int i=0;i<4;i++){vec2 tap=first+vec2(i,j);ivec2 t=clamp(ivec2(tap),ivec2(0),n-1);vec2 r=q-tap;
  float e=float(texelFetch(low,t,0).r)/${L_STEPS}.-l;float near=exp(-.5*dot(r,r)),w=near*max(${AGREEMENT},${FLOOR});
  sum+=w*vec4(vec2(texelFetch(own,t,0).rg),vec2(texelFetch(strokes,t,0).rg));total+=w;d+=near*texelFetch(doubt,t,0).r;dw+=near;}
 sum/=total*${AB_STEPS}.;vec2 ab=saturation*sum.xy+sum.zw;
 vec4 s=texelFetch(ink,at,0);if(s.a>0.)ab+=(abOf(s.rgb)-ab)*s.a;
 if((float(at.x)+.5)/float(size.x)<cut)ab=vec2(0);
 vec3 c=lin(l,ab);if(!inside(c)){float lo=0.,hi=1.;for(int k=0;k<10;k++){float m=(lo+hi)*.5;if(inside(lin(l,ab*m)))lo=m;else hi=m;}c=lin(l,ab*lo);}
 c=clamp(c,0.,1.);vec3 o=vec3(enc(c.r),enc(c.g),enc(c.b));
 if(showDoubt>.5)o=mix(o,vec3(1,0,.85),.75*clamp(d/dw*255./${DOUBT_FULL}.,0.,1.));
 result=vec4(o,1);}`

const TEXTURES = ['proof', 'low', 'own', 'strokes', 'doubt', 'ink']

/** Paints by WebGL 2. */
export class FastPainter {
  constructor (canvas) {
    this.canvas = canvas
    const gl = canvas.getContext('webgl2', { antialias: false, alpha: false, preserveDrawingBuffer: true })
    if (!gl) throw new Error('no WebGL 2')
    this.gl = gl
    const program = gl.createProgram()
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind)
      gl.shaderSource(shader, text)
      gl.compileShader(shader)
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader))
      gl.attachShader(program, shader)
    }
    gl.linkProgram(program)
    gl.useProgram(program)
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer())
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW)
    const corner = gl.getAttribLocation(program, 'p')
    gl.enableVertexAttribArray(corner)
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0)
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1)
    this.at = name => gl.getUniformLocation(program, name)
    TEXTURES.forEach((name, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit)
      gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
      for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST)
      for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE)
      gl.uniform1i(this.at(name), unit)
    })
    this.formats = {
      proof: [gl.R16UI, gl.RED_INTEGER, gl.UNSIGNED_SHORT],
      low: [gl.R16UI, gl.RED_INTEGER, gl.UNSIGNED_SHORT],
      own: [gl.RG16I, gl.RG_INTEGER, gl.SHORT],
      strokes: [gl.RG16I, gl.RG_INTEGER, gl.SHORT],
      doubt: [gl.R8, gl.RED, gl.UNSIGNED_BYTE]
    }
  }

  /** Take planes over: of a photograph, or the network's answer to strokes. */
  take (planes) {
    for (const [name, { samples, width, height }] of Object.entries(planes)) {
      if (name === 'proof') Object.assign(this.canvas, { width, height })
      this.#put(name, ...this.formats[name], width, height, samples)
    }
  }

  /** Take the layer of strokes over: (height, width, 4) bytes. */
  takeInk (pixels, width, height) {
    const { gl } = this
    this.#put('ink', gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, width, height, pixels)
  }

  paint ({ saturation, cut, showDoubt }) {
    const { gl, canvas } = this
    gl.viewport(0, 0, canvas.width, canvas.height)
    gl.uniform1f(this.at('saturation'), saturation)
    gl.uniform1f(this.at('cut'), cut)
    gl.uniform1f(this.at('showDoubt'), Number(showDoubt))
    gl.drawArrays(gl.TRIANGLES, 0, 3)
  }

  /** Return sRGB bytes of a part of what is painted, rows from the top. */
  read (left, top, width, height) {
    const { gl, canvas } = this
    const upside = new Uint8Array(width * height * 4)
    gl.readPixels(left, canvas.height - top - height, width, height, gl.RGBA, gl.UNSIGNED_BYTE, upside)
    const pixels = new Uint8Array(upside.length)
    for (let y = 0; y < height; y++) pixels.set(upside.subarray(y * width * 4, (y + 1) * width * 4), (height - 1 - y) * width * 4)
    return pixels
  }

  #put (name, inside, format, type, width, height, samples) {
    const { gl } = this
    gl.activeTexture(gl.TEXTURE0 + TEXTURES.indexOf(name))
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, width, height, 0, format, type, samples)
  }
}

/** Paints the same without WebGL, by the second instead of by the moment. */
export class SlowPainter {
  constructor (canvas) {
    this.canvas = canvas
    this.planes = {}
  }

  take (planes) {
    Object.assign(this.planes, planes)
    if (planes.proof) Object.assign(this.canvas, { width: planes.proof.width, height: planes.proof.height })
    this.enlarged = null
  }

  takeInk (pixels) { this.ink = pixels }

  paint ({ saturation, cut, showDoubt }) {
    const { proof } = this.planes
    const { width, height } = proof
    this.enlarged ??= this.#enlarge()
    const image = new ImageData(width, height)
    for (let k = 0; k < width * height; k++) {
      const [a0, b0, a1, b1, doubt] = this.enlarged.subarray(k * 5, k * 5 + 5)
      let a = saturation * a0 + a1; let b = saturation * b0 + b1
      const over = this.ink[k * 4 + 3] / 255
      if (over > 0) {
        const [, sa, sb] = labOf(Array.from(this.ink.subarray(k * 4, k * 4 + 3)))
        a += (sa - a) * over; b += (sb - b) * over
      }
      if ((k % width + 0.5) / width < cut) a = b = 0
      const rgb = srgbOf(proof.samples[k] / L_STEPS, a, b)
      const mark = showDoubt ? 0.75 * Math.min(1, doubt / DOUBT_FULL) : 0
      image.data.set([rgb[0] + (255 - rgb[0]) * mark, rgb[1] * (1 - mark), rgb[2] + (217 - rgb[2]) * mark, 255], k * 4)
    }
    this.canvas.getContext('2d').putImageData(image, 0, 0)
  }

  read (left, top, width, height) {
    return this.canvas.getContext('2d').getImageData(left, top, width, height).data
  }

  #enlarge () {
    const { proof, low, own, strokes, doubt } = this.planes
    const out = new Float32Array(proof.width * proof.height * 5)
    for (let y = 0; y < proof.height; y++) {
      const v = (y + 0.5) * low.height / proof.height - 0.5
      for (let x = 0; x < proof.width; x++) {
        const u = (x + 0.5) * low.width / proof.width - 0.5
        const light = proof.samples[y * proof.width + x] / L_STEPS
        let total = 0; let nearTotal = 0; let a0 = 0; let b0 = 0; let a1 = 0; let b1 = 0; let d = 0
        for (let j = Math.floor(v) - 1; j < Math.floor(v) + 3; j++) {
          for (let i = Math.floor(u) - 1; i < Math.floor(u) + 3; i++) {
            const t = Math.min(low.height - 1, Math.max(0, j)) * low.width + Math.min(low.width - 1, Math.max(0, i))
            const e = low.samples[t] / L_STEPS - light
            const near = Math.exp(-0.5 * ((u - i) ** 2 + (v - j) ** 2))
            const w = near * Math.max(Math.exp(-0.125 * e * e), FLOOR)
            total += w; nearTotal += near
            a0 += w * own.samples[2 * t]; b0 += w * own.samples[2 * t + 1]
            a1 += w * strokes.samples[2 * t]; b1 += w * strokes.samples[2 * t + 1]; d += near * doubt.samples[t]
          }
        }
        const k = total * AB_STEPS
        out.set([a0 / k, b0 / k, a1 / k, b1 / k, d / nearTotal], (y * proof.width + x) * 5)
      }
    }
    return out
  }
}
