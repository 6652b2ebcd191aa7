// SPDX-License-Identifier: Apache-2.0

@testable import Workbench

/// A small record with everything in it, and what it is in each format.
enum ExportGolden {
    static let record = #"""
        {"vpipe":1,"pipeline":"door","source":"video","type":"video","url":"rec/door & yard.mp4","size":[200,100],"fps":10,"nodes":{"faces":{},"objects":{},"track":{},"zones":{}}}
        {"source":"video","frame":0,"pts":0,"faces":[{"box":[10,20,30,40],"score":0.9,"landmarks":[[15,30],[30,30],[22,40],[16,50],[29,50.25]]}],"lines":[{"from":[1,2],"to":[3.5,4],"score":0.5}],"objects":[],"tracks":[],"carried":false}
        {"source":"video","frame":1,"pts":0.1,"faces":[{"box":[11,20,30,40],"score":0.8,"landmarks":[[16,30],[31,30],[23,40],[17,50],[30,50]]}],"objects":[{"box":[100.55,50,20,10.5],"score":0.7,"label":2,"class":"R&D \"van\" -->"}],"tracks":[{"id":1,"box":[11.5,20.5,30,40],"score":0.8,"class":"face","state":"seen","duration":0.1,"velocity":[0,0],"speed":0}],"zones":[{"name":"door","in":0,"out":0,"classes":{}}],"carried":false}
        {"source":"video","frame":3,"pts":0.3,"faces":[],"objects":[],"tracks":[{"id":1,"box":[13,21,30,40],"score":0.8,"class":"face","state":"lost","duration":0.3,"velocity":[0,0],"speed":0,"carried":true,"age":0.2}],"carried":true}
        """# + "\n"

    /// By format, then by what follows OUT in the path.
    static let files: [ExportFormat: [String: String]] = [
        .coco: [
            "": #"""
            {"images":[
            {"id":1,"file_name":"frame_000000.png","width":200,"height":100},
            {"id":2,"file_name":"frame_000001.png","width":200,"height":100},
            {"id":4,"file_name":"frame_000003.png","width":200,"height":100}
            ],
            "annotations":[
            {"id":1,"image_id":1,"category_id":2,"bbox":[10,20,30,40],"area":1200,"iscrowd":0,"segmentation":[],"keypoints":[15,30,2,30,30,2,22,40,2,16,50,2,29,50.25,2],"num_keypoints":5,"score":0.9},
            {"id":2,"image_id":2,"category_id":1,"bbox":[100.55,50,20,10.5],"area":210,"iscrowd":0,"segmentation":[],"score":0.7},
            {"id":3,"image_id":2,"category_id":2,"bbox":[11.5,20.5,30,40],"area":1200,"iscrowd":0,"segmentation":[],"keypoints":[16,30,2,31,30,2,23,40,2,17,50,2,30,50,2],"num_keypoints":5,"score":0.8,"attributes":{"track_id":1,"occluded":false}},
            {"id":4,"image_id":4,"category_id":2,"bbox":[13,21,30,40],"area":1200,"iscrowd":0,"segmentation":[],"keypoints":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"num_keypoints":0,"score":0.8,"attributes":{"track_id":1,"occluded":true}}
            ],
            "categories":[
            {"id":1,"name":"R&D \"van\" -->","supercategory":""},
            {"id":2,"name":"face","supercategory":"","keypoints":["left_eye","right_eye","nose","left_mouth_corner","right_mouth_corner"],"skeleton":[]}
            ]}
            """# + "\n"
        ],
        .cvat: [
            "": #"""
            <?xml version="1.0" encoding="utf-8"?>
            <annotations>
              <version>1.1</version>
              <meta>
                <task>
                  <name>rec/door &amp; yard.mp4</name>
                  <size>4</size>
                  <mode>interpolation</mode>
                  <start_frame>0</start_frame>
                  <stop_frame>3</stop_frame>
                  <labels>
                    <label>
                      <name>R&amp;D &quot;van&quot; --&gt;</name>
                      <attributes></attributes>
                    </label>
                    <label>
                      <name>face</name>
                      <attributes></attributes>
                    </label>
                    <label>
                      <name>line</name>
                      <attributes></attributes>
                    </label>
                  </labels>
                  <original_size>
                    <width>200</width>
                    <height>100</height>
                  </original_size>
                </task>
              </meta>
              <track id="0" label="face" source="auto">
                <box frame="0" outside="0" occluded="0" keyframe="1" xtl="10" ytl="20" xbr="40" ybr="60" z_order="0"></box>
                <box frame="1" outside="1" occluded="0" keyframe="1" xtl="10" ytl="20" xbr="40" ybr="60" z_order="0"></box>
              </track>
              <track id="1" label="line" source="auto">
                <polyline frame="0" outside="0" occluded="0" keyframe="1" points="1,2;3.5,4" z_order="0"></polyline>
                <polyline frame="1" outside="1" occluded="0" keyframe="1" points="1,2;3.5,4" z_order="0"></polyline>
              </track>
              <track id="2" label="R&amp;D &quot;van&quot; --&gt;" source="auto">
                <box frame="1" outside="0" occluded="0" keyframe="1" xtl="100.55" ytl="50" xbr="120.55" ybr="60.5" z_order="0"></box>
                <box frame="2" outside="1" occluded="0" keyframe="1" xtl="100.55" ytl="50" xbr="120.55" ybr="60.5" z_order="0"></box>
              </track>
              <track id="3" label="face" source="auto">
                <box frame="1" outside="0" occluded="0" keyframe="1" xtl="11.5" ytl="20.5" xbr="41.5" ybr="60.5" z_order="0"></box>
                <box frame="2" outside="1" occluded="0" keyframe="1" xtl="11.5" ytl="20.5" xbr="41.5" ybr="60.5" z_order="0"></box>
                <box frame="3" outside="0" occluded="1" keyframe="1" xtl="13" ytl="21" xbr="43" ybr="61" z_order="0"></box>
              </track>
            </annotations>
            """# + "\n"
        ],
        .labelstudio: [
            "": #"""
            [{"data":{"video":"rec/door & yard.mp4"},"predictions":[{"model_version":"vpipe","result":[
            {"id":"box-1","from_name":"box","to_name":"video","type":"videorectangle","score":0.9,"value":{"framesCount":4,"duration":0.4,"sequence":[{"frame":1,"enabled":true,"x":5,"y":20,"width":15,"height":40,"rotation":0,"time":0.1},{"frame":2,"enabled":false,"x":5,"y":20,"width":15,"height":40,"rotation":0,"time":0.2}],"labels":["face"]}},
            {"id":"box-2","from_name":"box","to_name":"video","type":"videorectangle","score":0.7,"value":{"framesCount":4,"duration":0.4,"sequence":[{"frame":2,"enabled":true,"x":50.275,"y":50,"width":10,"height":10.5,"rotation":0,"time":0.2},{"frame":3,"enabled":false,"x":50.275,"y":50,"width":10,"height":10.5,"rotation":0,"time":0.3}],"labels":["R&D \"van\" -->"]}},
            {"id":"track-1","from_name":"box","to_name":"video","type":"videorectangle","score":0.8,"value":{"framesCount":4,"duration":0.4,"sequence":[{"frame":2,"enabled":true,"x":5.75,"y":20.5,"width":15,"height":40,"rotation":0,"time":0.2},{"frame":3,"enabled":false,"x":5.75,"y":20.5,"width":15,"height":40,"rotation":0,"time":0.3}],"labels":["face"]}}
            ]}]}]
            """# + "\n"
        ],
        .webvtt: [
            "": #"""
            WEBVTT

            00:00:00.000 --> 00:00:00.100
            {"source":"video","frame":0,"pts":0,"faces":[{"box":[10,20,30,40],"score":0.9,"landmarks":[[15,30],[30,30],[22,40],[16,50],[29,50.25]]}],"lines":[{"from":[1,2],"to":[3.5,4],"score":0.5}],"objects":[],"tracks":[],"carried":false}

            00:00:00.100 --> 00:00:00.200
            {"source":"video","frame":1,"pts":0.1,"faces":[{"box":[11,20,30,40],"score":0.8,"landmarks":[[16,30],[31,30],[23,40],[17,50],[30,50]]}],"objects":[{"box":[100.55,50,20,10.5],"score":0.7,"label":2,"class":"R&D \"van\" --\u003e"}],"tracks":[{"id":1,"box":[11.5,20.5,30,40],"score":0.8,"class":"face","state":"seen","duration":0.1,"velocity":[0,0],"speed":0}],"zones":[{"name":"door","in":0,"out":0,"classes":{}}],"carried":false}

            00:00:00.300 --> 00:00:00.400
            {"source":"video","frame":3,"pts":0.3,"faces":[],"objects":[],"tracks":[{"id":1,"box":[13,21,30,40],"score":0.8,"class":"face","state":"lost","duration":0.3,"velocity":[0,0],"speed":0,"carried":true,"age":0.2}],"carried":true}
            """# + "\n"
        ],
        .csv: [
            "": #"""
            run,source,frame,pts,file,kind,node,id,class,state,score,x,y,width,height,x2,y2,landmarks,age
            1,video,0,0,,faces,,,face,,0.9,10,20,30,40,,,15 30 30 30 22 40 16 50 29 50.25,
            1,video,0,0,,lines,,,,,0.5,1,2,,,3.5,4,,
            1,video,1,0.1,,objects,,,"R&D ""van"" -->",,0.7,100.55,50,20,10.5,,,,
            1,video,1,0.1,,tracks,,1,face,seen,0.8,11.5,20.5,30,40,,,16 30 31 30 23 40 17 50 30 50,
            1,video,3,0.3,,tracks,,1,face,lost,0.8,13,21,30,40,,,,0.2
            """# + "\n"
        ],
        .mot: [
            "/gt/gt.txt": #"""
            1,2,10,20,30,40,1,2,1
            2,3,100.55,50,20,10.5,1,1,1
            2,1,11.5,20.5,30,40,1,2,1
            4,1,13,21,30,40,1,2,0
            """# + "\n",
            "/gt/labels.txt": #"""
            R&D "van" -->
            face
            """# + "\n",
        ],
        .yolo: [
            "/classes.txt": #"""
            R&D "van" -->
            face
            """# + "\n",
            "/data.yaml": #"""
            path: .
            train: train.txt
            val: train.txt
            names:
              0: "R&D \"van\" -->"
              1: "face"
            """# + "\n",
            "/train.txt": #"""
            images/train/frame_000000.png
            images/train/frame_000001.png
            images/train/frame_000003.png
            """# + "\n",
            "/labels/train/frame_000000.txt": #"""
            1 0.125 0.4 0.15 0.4
            """# + "\n",
            "/labels/train/frame_000001.txt": #"""
            0 0.55275 0.5525 0.1 0.105
            1 0.1325 0.405 0.15 0.4
            """# + "\n",
        ],
    ]
}
